import { Anchor, Badge, Text } from '@mantine/core'
import { formatBytes, formatCount } from '../app/format'
import { Download } from '../app/icons'
import { messages } from '../app/messages'
import { Time } from '../app/Time'
import type { Checkpoint } from './view'
import classes from './CheckpointTable.module.css'

const words = messages.checkpoints

interface CheckpointTableProps {
  checkpoints: readonly Checkpoint[]
  weightsUrl: string | null
}

export function CheckpointTable({ checkpoints, weightsUrl }: CheckpointTableProps) {
  if (checkpoints.length === 0 && weightsUrl === null)
    return (
      <Text c="dimmed" fz="sm" px="md" pb="md">
        {words.empty}
      </Text>
    )
  return (
    <div className={classes.scroller} tabIndex={0} role="group" aria-label={words.title}>
      {weightsUrl !== null && (
        <div className={classes.final}>
          <Text fz="sm" fw={550}>
            {words.final}
          </Text>
          <WeightsLink url={weightsUrl} label={messages.run.downloadWeights} />
        </div>
      )}
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{words.columns.step}</th>
            <th scope="col">{words.columns.size}</th>
            <th scope="col">{words.columns.saved}</th>
            <th scope="col">{words.weights}</th>
          </tr>
        </thead>
        <tbody>
          {checkpoints.map(({ step, path, sizeBytes, at, pinned, weightsUrl: url }) => (
            <tr key={step} title={path}>
              <th scope="row">
                {formatCount(step)}{' '}
                {pinned && (
                  <Badge size="xs" variant="light" tt="none">
                    {words.pinned}
                  </Badge>
                )}
              </th>
              <td>{formatBytes(sizeBytes)}</td>
              <td>
                <Time at={at} />
              </td>
              <td>
                {url === null ? messages.none : <WeightsLink url={url} label={words.download(formatCount(step))} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function WeightsLink({ url, label }: { url: string; label: string }) {
  return (
    <Anchor href={url} download fz="sm" aria-label={label} title={label} className={classes.link ?? ''}>
      <Download size={14} />
      {words.weights}
    </Anchor>
  )
}
