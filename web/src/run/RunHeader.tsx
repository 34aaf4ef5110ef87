import { Group, Paper, Text, Title } from '@mantine/core'
import { Link } from 'wouter'
import { Breadcrumb } from '../app/Breadcrumb'
import { messages } from '../app/messages'
import { formatCount, formatDuration, formatMetric, formatName, formatSpeed } from '../app/format'
import { routes } from '../app/routes'
import { Time, useNow } from '../app/Time'
import type { RunStatusFragment } from '../graphql/generated/documents'
import { useMayTo } from '../user/viewer'
import { currentPhase, elapsedSeconds, formatProgress, secondsLeft } from './progress'
import { hasPrompts } from './requests'
import { RunActions } from './RunActions'
import { RunProgress } from './RunProgress'
import { StateBadge } from './StateBadge'
import { hasEnded } from './states'
import { ChangesSince } from './ChangesSince'
import type { RunView } from './view'
import classes from './RunHeader.module.css'

const words = messages.run

interface RunHeaderProps {
  identity: RunView['identity']
  status: RunStatusFragment
}

/** Who, what, how far: the top of a run's page. */
export function RunHeader({ identity, status }: RunHeaderProps) {
  const { name, environment, environmentVersion, startedBy, requestedAt } = identity
  const mayTo = useMayTo()
  return (
    <header>
      <Breadcrumb href={routes.runs} label={words.breadcrumb} />
      <Group justify="space-between" align="flex-start" gap="sm" mb="sm">
        <div className={classes.identity}>
          <Group gap="sm">
            <Title order={1} className={classes.name}>
              {name}
            </Title>
            <StateBadge state={status.state} />
          </Group>
          <Text c="dimmed" fz="sm" mt={2}>
            {environment && <Link href={routes.environment(environment.id)}>{environment.name}</Link>}{' '}
            {words.environmentVersion(environmentVersion)}
            {environment && <ChangesSince runId={status.id} version={environmentVersion} />} ·{' '}
            <Time at={status.startedAt ?? requestedAt} /> {startedBy && words.startedBy(startedBy.username)}
          </Text>
        </div>
        {mayTo('job.cancel', startedBy?.id) && <RunActions status={status} hasPrompts={hasPrompts(identity.config)} />}
      </Group>
      <Paper withBorder className={classes.numbers ?? ''}>
        <div className={classes.progress}>
          <RunProgress {...status} size="md" />
          <PhaseLine status={status} />
        </div>
        <Facts status={status} />
      </Paper>
    </header>
  )
}

/** What the trainer does besides steps; the line is kept when there is nothing, so that nothing moves. */
function PhaseLine({ status }: { status: RunStatusFragment }) {
  const now = useNow(1_000)
  const phase = hasEnded(status.state) ? undefined : currentPhase(status.phases)
  const left = phase ? secondsLeft(phase, now) : null
  return (
    <div className={classes.phase} role="status">
      {phase && status.step > 0 && (
        <>
          {formatName(phase.name, messages.phases.names)}
          {` ${formatProgress(phase)}`}
          {left !== null && ` · ${messages.phases.left(formatDuration(left))}`}
        </>
      )}
    </div>
  )
}

function Facts({ status }: { status: RunStatusFragment }) {
  const now = useNow(1_000)
  const isOver = hasEnded(status.state)
  const facts = [
    [words.loss, formatMetric(status.lastLoss)],
    [words.epoch, formatCount(status.epoch)],
    [words.speed, formatSpeed(status.stepsPerSecond)],
    [words.elapsed, formatDuration(elapsedSeconds(status, now))],
    [words.eta, isOver ? messages.none : formatDuration(status.etaSeconds)],
  ]
  return (
    <dl className={classes.facts}>
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
