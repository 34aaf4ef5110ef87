import { Alert, Button, Group } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Loaded } from '../graphql/useLoaded'
import { Warning } from './icons'
import { messages } from './messages'
import { Failure } from './Notice'
import { Pending } from './Pending'

interface LoadedViewProps<Data> {
  query: Loaded<Data>
  /** How many grey rows stand for what is on its way. */
  rows?: number
  children: (data: Data) => ReactNode
}

/** What a query found; before that its place, without it the reason, and a word when it may be out of date. */
export function LoadedView<Data>({ query, rows = 5, children }: LoadedViewProps<Data>) {
  const { data, error, refresh } = query
  if (data === undefined) return error ? <Failure error={error} onRetry={refresh} /> : <Pending rows={rows} />
  return (
    <>
      {error && (
        <Alert color="yellow" variant="light" icon={<Warning />} role="status" p="xs" m="xs">
          <Group justify="space-between" gap="xs">
            {messages.connection.stale}
            <Button size="compact-sm" variant="subtle" color="yellow" onClick={refresh} loading={query.isBusy}>
              {messages.retry}
            </Button>
          </Group>
        </Alert>
      )}
      {children(data)}
    </>
  )
}
