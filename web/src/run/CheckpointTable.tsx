import { ActionIcon, Badge, Text, Tooltip } from '@mantine/core'
import { formatBytes, formatCount, formatMetric } from '../app/format'
import { Pin, Resume } from '../app/icons'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { Time } from '../app/Time'
import { PinCheckpointDocument, type WeightsPartsFragment } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import type { Checkpoint } from './view'
import { WeightsMenu } from './WeightsMenu'
import classes from './CheckpointTable.module.css'

const words = messages.checkpoints

interface CheckpointTableProps {
  runId: string
  checkpoints: readonly Checkpoint[]
  bestStep: number | null
  /** The final ones; none until they are saved. */
  weights: readonly WeightsPartsFragment[]
  isComfyUI: boolean
  mayPin: boolean
  /** Opens what can be changed before the run goes on from a step; undefined where it cannot. */
  onResume: ((step: number) => void) | undefined
}

/** What is on disk of a run, and what can be done with it. */
export function CheckpointTable(props: CheckpointTableProps) {
  const { runId, checkpoints, bestStep, weights, isComfyUI, mayPin, onResume } = props
  const pin = useAction(PinCheckpointDocument)
  const isMeasured = checkpoints.some(({ evalLoss }) => evalLoss !== null)
  if (checkpoints.length === 0 && weights.length === 0)
    return (
      <Text c="dimmed" fz="sm" px="md" pb="md">
        {words.empty}
      </Text>
    )
  return (
    <div className={classes.scroller} tabIndex={0} role="group" aria-label={words.title}>
      {weights.length > 0 && (
        <div className={classes.final}>
          <Text fz="sm" fw={550}>
            {words.final}
          </Text>
          <WeightsMenu files={weights} label={words.finalDownloads} isComfyUI={isComfyUI} isWide />
        </div>
      )}
      <Refused message={pin.problem} />
      {checkpoints.length > 0 && (
        <table className={classes.table}>
          <thead>
            <tr>
              <th scope="col">{words.columns.step}</th>
              <th scope="col" title={words.lossHint}>
                {words.columns.loss}
              </th>
              {isMeasured && (
                <th scope="col" title={words.evalLossHint}>
                  {words.columns.evalLoss}
                </th>
              )}
              <th scope="col">{words.columns.size}</th>
              <th scope="col" className={classes.saved}>
                {words.columns.saved}
              </th>
              <td />
            </tr>
          </thead>
          <tbody>
            {checkpoints.map((checkpoint) => {
              const { step, path, sizeBytes, at, pinned, meanLoss, evalLoss } = checkpoint
              const shown = formatCount(step)
              const pinLabel = pinned ? words.unpin(shown) : words.pin(shown)
              return (
                <tr key={step} title={path}>
                  <th scope="row">
                    <span className={classes.step}>{shown}</span>
                    <Marks checkpoint={checkpoint} isBest={step === bestStep} />
                  </th>
                  <td>{formatMetric(meanLoss)}</td>
                  {isMeasured && <td>{formatMetric(evalLoss)}</td>}
                  <td>{formatBytes(sizeBytes)}</td>
                  <td className={classes.saved}>
                    <Time at={at} />
                  </td>
                  <td className={classes.actions}>
                    {mayPin && (
                      <ActionIcon
                        variant={pinned ? 'light' : 'subtle'}
                        color={pinned ? 'brand' : 'gray'}
                        aria-pressed={pinned}
                        aria-label={pinLabel}
                        title={pinLabel}
                        onClick={() => void pin.act({ runId, step, pinned: !pinned })}
                      >
                        <Pin />
                      </ActionIcon>
                    )}
                    {onResume && (
                      <ActionIcon
                        variant="subtle"
                        color="gray"
                        aria-label={words.resume(shown)}
                        title={words.resume(shown)}
                        onClick={() => onResume(step)}
                      >
                        <Resume />
                      </ActionIcon>
                    )}
                    <WeightsMenu files={checkpoint.weights} label={words.downloads(shown)} isComfyUI={isComfyUI} />
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      )}
    </div>
  )
}

function Marks({ checkpoint, isBest }: { checkpoint: Checkpoint; isBest: boolean }) {
  const marks = [
    { is: isBest, color: 'teal', label: words.best, hint: words.bestHint },
    { is: checkpoint.pinned, color: 'brand', label: words.pinned, hint: words.pinnedHint },
    { is: checkpoint.isRolling, color: 'gray', label: words.rolling, hint: words.rollingHint },
  ]
  return marks
    .filter(({ is }) => is)
    .map(({ color, label, hint }) => (
      <Tooltip key={label} label={hint} multiline maw={260} events={{ hover: true, focus: true, touch: true }}>
        <Badge size="sm" variant="light" tt="none" color={color} className={classes.mark ?? ''} tabIndex={0}>
          {label}
        </Badge>
      </Tooltip>
    ))
}
