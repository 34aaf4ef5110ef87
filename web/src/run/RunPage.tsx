import { Stack } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useMemo, useSyncExternalStore } from 'react'
import { useClient } from 'urql'
import { formatPercent } from '../app/format'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { Panel } from '../app/Panel'
import { Pending } from '../app/Pending'
import { useSession } from '../app/session'
import { ConfigTable } from '../environment/ConfigTable'
import { CheckpointTable } from './CheckpointTable'
import { EndNotice } from './EndNotice'
import { RunFeed } from './feed'
import { ImagePanel } from './ImagePanel'
import { LogPanel } from './LogPanel'
import { MetricPanel } from './MetricPanel'
import { RunHeader } from './RunHeader'
import { SkippedNotice } from './SkippedNotice'
import { isActive } from './states'
import type { RunView } from './view'
import classes from './RunPage.module.css'

const words = messages.run

export default function RunPage({ runId }: { runId: string }) {
  const client = useClient()
  const { live } = useSession()
  const feed = useMemo(() => new RunFeed(client, live, runId), [client, live, runId])
  const state = useSyncExternalStore(feed.subscribe, feed.getState)
  const reload = () => void feed.reload()

  if (state.kind === 'loading') return <Pending rows={8} />
  if (state.kind === 'missing') return <Notice title={words.missing} hint={messages.shell.notFoundHint} />
  if (state.kind === 'failed') {
    const { unreachable, unreachableHint } = messages.connection
    return <Notice title={state.message} {...(state.message === unreachable ? { hint: unreachableHint } : {})} />
  }
  return <RunDetails view={state.view} onReload={reload} />
}

function RunDetails({ view, onReload }: { view: RunView; onReload: () => void }) {
  const { identity, status, series, images, checkpoints, log, skippedPoints } = view
  const share = isActive(status.state) ? `${formatPercent(status.progress)} · ` : ''
  useDocumentTitle(`${share}${identity.name} · ${messages.product}`)
  return (
    <Stack gap="md">
      <RunHeader identity={identity} status={status} />
      <EndNotice ownerId={identity.startedBy?.id} status={status} onResumed={onReload} />
      <SkippedNotice count={skippedPoints} onReload={onReload} />
      <div className={classes.panels}>
        <div className={classes.metrics}>
          <MetricPanel series={series} status={status} />
        </div>
        <div className={classes.images}>
          <ImagePanel images={images} />
        </div>
        <div className={classes.log}>
          <LogPanel log={log} />
        </div>
        <div className={classes.checkpoints}>
          <Panel title={messages.checkpoints.title} isFlush>
            <CheckpointTable checkpoints={checkpoints} weightsUrl={status.weightsUrl} />
          </Panel>
        </div>
        <div className={classes.config}>
          <Panel title={messages.config.title} isFlush>
            <ConfigTable config={identity.config} heightPx={320} />
          </Panel>
        </div>
      </div>
    </Stack>
  )
}
