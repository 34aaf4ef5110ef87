import { Button, Stack } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useMemo, useState, useSyncExternalStore } from 'react'
import { useClient } from 'urql'
import { formatPercent } from '../app/format'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { Panel } from '../app/Panel'
import { Pending } from '../app/Pending'
import { useSession } from '../app/session'
import { ConfigTable } from '../environment/ConfigTable'
import { useMay, useMayTo } from '../user/viewer'
import { CheckpointTable } from './CheckpointTable'
import { EndNotice } from './EndNotice'
import { RunFeed } from './feed'
import { ImagePanel } from './ImagePanel'
import { LogPanel } from './LogPanel'
import { MetricPanel } from './MetricPanel'
import { ResumeDialog } from './ResumeDialog'
import { RunHeader } from './RunHeader'
import { SkippedNotice } from './SkippedNotice'
import { hasEnded, isActive } from './states'
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
  const { identity, status, series, images, checkpoints, bestStep, log, skippedPoints } = view
  const may = useMay()
  const mayTo = useMayTo()
  const [fromStep, setFromStep] = useState<number | null>(null)
  const config = identity.config as Readonly<Record<string, unknown>>
  const ownerId = identity.startedBy?.id
  const isMine = mayTo('job.cancel', ownerId)
  const isResumable = hasEnded(status.state) && isMine && may('job.submit')
  const newest = checkpoints[0]?.step
  const share = isActive(status.state) ? `${formatPercent(status.progress)} · ` : ''
  useDocumentTitle(`${share}${identity.name} · ${messages.product}`)
  return (
    <Stack gap="md">
      <RunHeader identity={identity} status={status} />
      <EndNotice
        environmentId={identity.environment?.id}
        ownerId={ownerId}
        status={status}
        onResumed={onReload}
        onChange={setFromStep}
      />
      <SkippedNotice count={skippedPoints} onReload={onReload} />
      <div className={classes.panels}>
        <div className={classes.metrics}>
          <MetricPanel series={series} status={status} environmentId={identity.environment?.id} />
        </div>
        <div className={classes.images}>
          <ImagePanel images={images} config={identity.config} />
        </div>
        <div className={classes.log}>
          <LogPanel log={log} />
        </div>
        <div className={classes.checkpoints}>
          <Panel
            title={messages.checkpoints.title}
            isFlush
            aside={
              status.state === 'FINISHED' &&
              isResumable &&
              newest !== undefined && (
                <Button size="compact-sm" variant="default" onClick={() => setFromStep(newest)}>
                  {words.trainFurther}
                </Button>
              )
            }
          >
            <CheckpointTable
              runId={status.id}
              checkpoints={checkpoints}
              bestStep={bestStep}
              weights={status.weights}
              isComfyUI={config.lora_format === 'comfyui'}
              mayPin={isMine}
              onResume={isResumable ? setFromStep : undefined}
            />
          </Panel>
        </div>
        <div className={classes.config}>
          <Panel title={messages.config.title} isFlush>
            <ConfigTable config={identity.config} heightPx={320} />
          </Panel>
        </div>
      </div>
      <ResumeDialog
        runId={status.id}
        run={{
          step: status.step,
          totalSteps: status.totalSteps,
          isFinished: status.state === 'FINISHED',
          learningRate: typeof config.learning_rate === 'number' ? config.learning_rate : null,
          steps: checkpoints.map(({ step }) => step),
        }}
        fromStep={fromStep}
        onClose={() => setFromStep(null)}
        onResumed={onReload}
      />
    </Stack>
  )
}
