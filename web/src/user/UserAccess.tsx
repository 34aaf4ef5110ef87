import { Button, Group, Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { Time } from '../app/Time'
import { RevokeApiKeyDocument, RevokeSessionDocument, type SessionPartsFragment } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'

const words = messages.users

interface ApiKey {
  id: string
  name: string
  prefix: string
  lastUsedAt: string | null
}

interface UserAccessProps {
  sessions: readonly SessionPartsFragment[]
  /** null: not for this viewer to see. */
  apiKeys: readonly ApiKey[] | null
}

/** By what somebody's account is in use at this moment. */
export function UserAccess({ sessions, apiKeys }: UserAccessProps) {
  const endSession = useAction(RevokeSessionDocument, ['Session'])
  const revokeKey = useAction(RevokeApiKeyDocument)
  return (
    <Stack gap="lg">
      <Part title={words.sessions} isEmpty={sessions.length === 0} problem={endSession.problem}>
        {sessions.map(({ id, browser, address, lastSeenAt }) => (
          <Line key={id} title={browser} name={browser} onRevoke={() => void endSession.act({ id })}>
            {address} · <Time at={lastSeenAt} />
          </Line>
        ))}
      </Part>
      {apiKeys && (
        <Part title={words.apiKeys} isEmpty={apiKeys.length === 0} problem={revokeKey.problem}>
          {apiKeys.map(({ id, name, prefix, lastUsedAt }) => (
            <Line key={id} title={name} name={name} onRevoke={() => void revokeKey.act({ id })}>
              {prefix}… ·{' '}
              {lastUsedAt ? (
                <>
                  {words.lastUsed} <Time at={lastUsedAt} />
                </>
              ) : (
                words.unused
              )}
            </Line>
          ))}
        </Part>
      )}
    </Stack>
  )
}

interface PartProps {
  title: string
  isEmpty: boolean
  problem: string | null
  children: ReactNode
}

function Part({ title, isEmpty, problem, children }: PartProps) {
  return (
    <Stack gap="xs" component="section" aria-label={title}>
      <Title order={3} fz="sm">
        {title}
      </Title>
      <Refused message={problem} />
      {isEmpty ? (
        <Text fz="sm" c="dimmed">
          {words.noKeys}
        </Text>
      ) : (
        children
      )}
    </Stack>
  )
}

interface LineProps {
  title: string
  name: string
  onRevoke: () => void
  children: ReactNode
}

function Line({ title, name, onRevoke, children }: LineProps) {
  return (
    <Group justify="space-between" wrap="nowrap" gap="sm">
      <div style={{ minWidth: 0 }}>
        <Text fz="sm" fw={550} truncate>
          {title}
        </Text>
        <Text fz="xs" c="dimmed" truncate>
          {children}
        </Text>
      </div>
      <Button size="xs" variant="subtle" color="red" aria-label={`${words.revoke}: ${name}`} onClick={onRevoke}>
        {words.revoke}
      </Button>
    </Group>
  )
}
