import { Badge, Button, Group, Paper, Text } from '@mantine/core'
import { DataTable } from '../app/DataTable'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import { Time } from '../app/Time'
import { useConfirm } from '../app/useConfirm'
import { RevokeSessionDocument, SessionsDocument, type SessionPartsFragment } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'

const words = messages.sessions
const { columns } = words

/** Where one is signed in. */
export function Sessions() {
  const query = useLoaded({ query: SessionsDocument, variables: {} })
  return (
    <>
      <Text c="dimmed" fz="sm" mb="md" maw={640}>
        {words.lead}
      </Text>
      <Paper withBorder>
        <LoadedView query={query} rows={2}>
          {({ viewer }) => <SessionTable sessions={viewer.user.sessions ?? []} />}
        </LoadedView>
      </Paper>
    </>
  )
}

function SessionTable({ sessions }: { sessions: readonly SessionPartsFragment[] }) {
  const revoke = useAction(RevokeSessionDocument, ['Session'])
  const [confirm, dialog] = useConfirm()
  if (sessions.length === 0) return <Notice title={words.empty} />
  const ask = ({ id, browser }: SessionPartsFragment) =>
    confirm({
      title: words.revokeTitle,
      hint: words.revokeHint(browser),
      yes: words.revoke,
      color: 'red',
      onYes: () => revoke.act({ id }),
    })
  return (
    <>
      <Refused message={revoke.problem} />
      <DataTable
        headings={[columns.browser, columns.address, columns.created, columns.seen]}
        hasActions
        label={words.title}
      >
        {sessions.map((session) => (
          <tr key={session.id}>
            <th scope="row">
              <Group gap="xs">
                {session.browser}
                {session.current && (
                  <Badge variant="light" color="teal" tt="none" fw={600}>
                    {words.current}
                  </Badge>
                )}
              </Group>
            </th>
            <td data-label={columns.address}>{session.address || messages.none}</td>
            <td data-label={columns.created}>
              <Time at={session.createdAt} />
            </td>
            <td data-label={columns.seen}>
              <Time at={session.lastSeenAt} />
            </td>
            <td data-actions>
              {!session.current && (
                <Button size="xs" variant="subtle" color="red" onClick={() => ask(session)}>
                  {words.revoke}
                </Button>
              )}
            </td>
          </tr>
        ))}
      </DataTable>
      {dialog}
    </>
  )
}
