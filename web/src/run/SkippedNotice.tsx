import { Button, Group, Text } from '@mantine/core'
import { formatCount } from '../app/format'
import { messages } from '../app/messages'

/** A connection that could not keep up was sent less; the whole can be had again. */
export function SkippedNotice({ count, onReload }: { count: number; onReload: () => void }) {
  if (count === 0) return null
  return (
    <Group gap="xs" role="status">
      <Text fz="sm" c="dimmed">
        {messages.run.skipped(formatCount(count))}
      </Text>
      <Button size="compact-sm" variant="subtle" onClick={onReload}>
        {messages.run.reload}
      </Button>
    </Group>
  )
}
