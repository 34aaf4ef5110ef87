import { Button, Group, Paper, Progress, Stack, Text } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { formatBytes, formatCount, formatPercent, toSentence } from '../../app/format'
import { Pause, Play } from '../../app/icons'
import { messages } from '../../app/messages'
import { hasEnded, progressOf, shareOf } from './progress'
import type { Item, UploadQueue } from './uploadQueue'
import classes from './UploadView.module.css'

const words = messages.uploads
const MOST_SHOWN = 8

interface UploadViewProps {
  queue: UploadQueue
  onCancel: () => void
}

/** Files on their way: all of them together, and those that are being sent. */
export function UploadView({ queue, onCancel }: UploadViewProps) {
  const { items, isPaused, isLost } = useSyncExternalStore(queue.subscribe, queue.getState)
  const progress = progressOf(items)
  return (
    <Paper withBorder p="md" component="section" aria-label={words.title}>
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <Text fw={550} role="status">
            {words.progress(formatCount(progress.numEnded), formatCount(progress.numFiles))}
          </Text>
          <Text fz="sm" c="dimmed">
            {words.bytes(formatBytes(progress.sentBytes), formatBytes(progress.totalBytes))} ·{' '}
            {formatPercent(progress.share)}
          </Text>
        </Group>
        <Progress
          size="lg"
          value={progress.share * 100}
          color={isPaused || isLost ? 'gray' : 'brand'}
          aria-label={words.overall}
        />
        <ul className={classes.items}>
          {toShow(items).map((item) => (
            <Row key={`${item.picked.folder}/${item.picked.file.name}`} item={item} />
          ))}
        </ul>
        <Group gap="xs">
          {isPaused ? (
            <Button size="xs" leftSection={<Play size={14} />} onClick={() => queue.resume()}>
              {words.resume}
            </Button>
          ) : (
            <Button size="xs" variant="default" leftSection={<Pause size={14} />} onClick={() => queue.pause()}>
              {words.pause}
            </Button>
          )}
          {isLost && (
            <Button size="xs" variant="default" onClick={() => queue.resume()}>
              {words.retry}
            </Button>
          )}
          <Button size="xs" variant="subtle" color="gray" onClick={onCancel}>
            {words.cancel}
          </Button>
          <Text fz="sm" c={isLost ? 'red' : 'dimmed'} role="status">
            {isPaused ? words.paused : isLost ? words.lost : ''}
          </Text>
        </Group>
      </Stack>
    </Paper>
  )
}

/** All of a few; of many those that are under way, what was refused, and what comes next. */
function toShow(items: readonly Item[]): readonly Item[] {
  if (items.length <= MOST_SHOWN) return items
  const isBusy = ({ state }: Item) => state === 'sending' || state === 'unpacking'
  const busy = items.filter(isBusy)
  const refused = items.filter(({ state }) => state === 'refused')
  const others = items.filter((item) => !isBusy(item) && !hasEnded(item))
  return [...busy, ...refused.slice(-MOST_SHOWN), ...others].slice(0, MOST_SHOWN)
}

function Row({ item }: { item: Item }) {
  const { picked, state, problem } = item
  const { name } = picked.file
  return (
    <li className={classes.item} data-state={state}>
      <span className={classes.name}>{picked.folder === '' ? name : `${picked.folder}/${name}`}</span>
      <Progress
        className={classes.bar ?? ''}
        value={shareOf(item) * 100}
        color={state === 'refused' ? 'red' : state === 'done' ? 'teal' : 'brand'}
        aria-label={name}
      />
      <span className={classes.state}>{words.states[state]}</span>
      {problem !== null && <span className={classes.problem}>{toSentence(problem)}</span>}
    </li>
  )
}
