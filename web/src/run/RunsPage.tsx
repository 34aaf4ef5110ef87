import { Button, Group, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useMemo, useSyncExternalStore } from 'react'
import { useClient } from 'urql'
import { Link } from 'wouter'
import { DataTable } from '../app/DataTable'
import { formatDuration, formatMetric } from '../app/format'
import { Plus } from '../app/icons'
import { messages } from '../app/messages'
import { Failure, Notice } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Pending } from '../app/Pending'
import { routes } from '../app/routes'
import { useSession } from '../app/session'
import { Time } from '../app/Time'
import { ExampleCards } from '../environment/new/ExampleCards'
import type { RunRowFragment } from '../graphql/generated/documents'
import { useMay } from '../user/viewer'
import { RunProgress } from './RunProgress'
import { RunsFeed } from './runsFeed'
import { StateBadge } from './StateBadge'
import { hasEnded } from './states'
import classes from './RunsPage.module.css'

const words = messages.runs
const { columns } = words
const HEADINGS = [columns.name, columns.state, columns.progress, columns.loss, columns.eta, columns.started]

export function RunsPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const client = useClient()
  const may = useMay()
  const { live } = useSession()
  const feed = useMemo(() => new RunsFeed(client, live), [client, live])
  const { runs, totalCount, hasMore, error } = useSyncExternalStore(feed.subscribe, feed.getState)
  const start = (
    <Button component={Link} href={routes.environments} leftSection={<Plus />}>
      {words.start}
    </Button>
  )
  return (
    <>
      <PageTitle title={words.title} actions={runs?.length && may('job.submit') ? start : null} />
      <Paper withBorder>
        {runs && runs.length > 0 && (
          <DataTable headings={HEADINGS} label={words.title}>
            {runs.map((run) => (
              <RunRow key={run.id} run={run} />
            ))}
          </DataTable>
        )}
        {runs?.length === 0 && <FirstSteps />}
        {!runs && error && <Failure error={error} onRetry={() => void feed.reload()} />}
        {!runs && !error && <Pending />}
      </Paper>
      {runs && hasMore && (
        <Group justify="center" mt="md">
          <Button variant="default" onClick={() => void feed.showMore()}>
            {messages.showMore}
          </Button>
          <Text c="dimmed" fz="sm">
            {messages.listEnd(runs.length, Math.max(totalCount, runs.length))}
          </Text>
        </Group>
      )}
    </>
  )
}

function FirstSteps() {
  const may = useMay()
  if (!may('job.submit') || !may('config.view'))
    return <Notice title={words.emptyForViewer} hint={words.emptyForViewerHint} />
  return (
    <Notice title={words.empty} hint={words.emptyHint}>
      <div className={classes.examples}>
        <ExampleCards />
      </div>
      <Text c="dimmed" fz="sm" mt="md">
        {words.emptyOwn}: <Link href={routes.environments}>{messages.environments.title}</Link>
      </Text>
    </Notice>
  )
}

function RunRow({ run }: { run: RunRowFragment }) {
  const { id, name, state, step, totalSteps, progress, lastLoss, etaSeconds, environment, startedAt, requestedAt } = run
  const began = startedAt ?? requestedAt
  return (
    <tr className={classes.row}>
      <th scope="row" className={classes.name}>
        <Link href={routes.run(id)} className={classes.link}>
          {name}
        </Link>
        <Text fz="xs" c="dimmed" truncate>
          {environment?.name}
        </Text>
      </th>
      <td className={classes.state} title={run.endReason ?? undefined}>
        <StateBadge state={state} />
      </td>
      <td className={classes.progress}>
        <RunProgress state={state} step={step} totalSteps={totalSteps} progress={progress} />
      </td>
      <td data-label={columns.loss} className={classes.fact}>
        {formatMetric(lastLoss)}
      </td>
      <td data-label={columns.eta} className={`${classes.fact} ${classes.eta}`}>
        {hasEnded(state) ? messages.none : formatDuration(etaSeconds)}
      </td>
      <td data-label={columns.started} className={classes.fact}>
        <Time at={began} />
      </td>
    </tr>
  )
}
