import { Skeleton, Stack, VisuallyHidden } from '@mantine/core'
import { messages } from './messages'

/** Rows in grey while a list is on its way. */
export function Pending({ rows = 5 }: { rows?: number }) {
  return (
    <Stack p="md" gap="md" role="status">
      <VisuallyHidden>{messages.loading}</VisuallyHidden>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={28} />
      ))}
    </Stack>
  )
}
