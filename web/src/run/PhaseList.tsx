import { Loader, Progress } from '@mantine/core'
import { formatDuration, formatName } from '../app/format'
import { Check } from '../app/icons'
import { messages } from '../app/messages'
import { useNow } from '../app/Time'
import type { RunStatusFragment } from '../graphql/generated/documents'
import { formatProgress, secondsLeft, type Phase } from './progress'
import classes from './PhaseList.module.css'

const words = messages.phases

/** What happens before the first step, with how far each part is. */
export function PhaseList({ status }: { status: RunStatusFragment }) {
  const now = useNow(1_000)
  const { state, phases } = status
  if (phases.length === 0)
    return (
      <div className={classes.waiting} role="status">
        <Loader size="sm" />
        {state === 'QUEUED' ? words.queued : words.waiting}
      </div>
    )
  return (
    <ol className={classes.phases}>
      {phases.map((phase) => (
        <PhaseRow key={`${phase.name} ${phase.startedAt}`} phase={phase} now={now} />
      ))}
    </ol>
  )
}

function PhaseRow({ phase, now }: { phase: Phase; now: number }) {
  const { name, startedAt, endedAt, progress, total } = phase
  const isDone = endedAt !== null
  const seconds = ((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt)) / 1000
  const left = secondsLeft(phase, now)
  const label = formatName(name, words.names)
  return (
    <li className={classes.phase} data-done={isDone || undefined}>
      <span className={classes.mark}>{isDone ? <Check size={16} /> : <Loader size={14} />}</span>
      <span>{label}</span>
      <span className={classes.count}>
        {formatProgress(phase)}
        {left !== null && ` · ${words.left(formatDuration(left))}`}
      </span>
      <span className={classes.time}>{formatDuration(seconds)}</span>
      <span className={classes.bar}>
        {!isDone && (
          <Progress size="xs" value={total ? (100 * progress) / total : 100} animated={!total} aria-label={label} />
        )}
      </span>
    </li>
  )
}
