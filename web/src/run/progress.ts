import { formatBytes, formatCount } from '../app/format'
import type { RunStatusFragment } from '../graphql/generated/documents'
import { hasEnded } from './states'

/** Before, a pace would be guessed from its first moments. */
const SECONDS_OF_PACE = 3

export type Phase = RunStatusFragment['phases'][number]

/** What the trainer is at besides steps: the phase that began last and has not ended. */
export function currentPhase(phases: readonly Phase[]): Phase | undefined {
  return phases.findLast(({ endedAt }) => endedAt === null)
}

/** Done and of how much: a count, or bytes of what comes over the network; empty while nobody knows of how much. */
export function formatProgress({ name, progress, total }: Phase): string {
  if (total === null || total === 0) return ''
  const format = name === 'download_model' ? formatBytes : formatCount
  return `${format(progress)} / ${format(total)}`
}

/** How long a phase will take yet at its present pace; null while that cannot be said. now: milliseconds since the epoch. */
export function secondsLeft({ startedAt, endedAt, progress, total }: Phase, now: number): number | null {
  const seconds = (now - Date.parse(startedAt)) / 1000
  if (endedAt !== null || total === null || progress === 0 || seconds < SECONDS_OF_PACE) return null
  return (seconds / progress) * (total - progress)
}

/** The time since the start, or from start to end; null before the start. now: milliseconds since the epoch. */
export function elapsedSeconds(
  run: Pick<RunStatusFragment, 'state' | 'startedAt' | 'endedAt'>,
  now: number,
): number | null {
  if (run.startedAt === null) return null
  const until = hasEnded(run.state) && run.endedAt !== null ? Date.parse(run.endedAt) : now
  return Math.max(0, (until - Date.parse(run.startedAt)) / 1000)
}
