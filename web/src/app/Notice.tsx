import { Alert, Button, Stack, Text, Title } from '@mantine/core'
import type { CombinedError } from '@urql/core'
import type { ReactNode } from 'react'
import { describeFailure } from '../graphql/errors'
import { Warning } from './icons'
import { messages } from './messages'

interface NoticeProps {
  title: string
  hint?: string
  children?: ReactNode
}

/** What stands in the place of content that is not there, and what to do about it. */
export function Notice({ title, hint, children }: NoticeProps) {
  return (
    <Stack align="center" gap="xs" py={48} px="md" ta="center">
      <Title order={2} fz="lg">
        {title}
      </Title>
      {hint && (
        <Text c="dimmed" maw={520}>
          {hint}
        </Text>
      )}
      {children}
    </Stack>
  )
}

export function Failure({ error, onRetry }: { error: CombinedError; onRetry: () => void }) {
  const isUnreachable = error.graphQLErrors.length === 0
  const { unreachable, unreachableHint, failed } = messages.connection
  return (
    <div role="alert">
      <Notice
        title={isUnreachable ? unreachable : failed}
        hint={isUnreachable ? unreachableHint : describeFailure(error)}
      >
        <Button variant="default" mt="sm" onClick={onRetry}>
          {messages.retry}
        </Button>
      </Notice>
    </div>
  )
}

/** One line about something that was asked for and did not happen. */
export function Refused({ message }: { message: string | null }) {
  if (message === null) return null
  return (
    <Alert color="red" variant="light" icon={<Warning />} role="alert" p="xs" fw={400}>
      {message}
    </Alert>
  )
}
