import { Badge, Button, Group, List, Paper, Text } from '@mantine/core'
import { useState } from 'react'
import { DataTable } from '../app/DataTable'
import { toSentence } from '../app/format'
import { Check, Plus, Warning } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import {
  ProvidersDocument,
  TestAuthProviderDocument,
  type ProviderPartsFragment,
  type TestAuthProviderMutation,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { ProviderDrawer, type ProviderDraft } from './ProviderDrawer'

const words = messages.providers
const { columns } = words
const CONTEXT = { additionalTypenames: ['AuthProvider'] }
type Step = TestAuthProviderMutation['testAuthProvider']['steps'][number]

/** The ways to sign in with an account from elsewhere. */
export function ProviderList() {
  const query = useLoaded({ query: ProvidersDocument, variables: {}, context: CONTEXT })
  const [draft, setDraft] = useState<ProviderDraft | null>(null)
  return (
    <>
      <Group justify="space-between" mb="md" gap="sm" align="flex-start">
        <Text c="dimmed" fz="sm" maw={640}>
          {words.lead}
        </Text>
        <Group gap="xs">
          <Button leftSection={<Plus />} variant="default" onClick={() => setDraft({ kind: 'LDAP', provider: null })}>
            {words.kinds.LDAP}
          </Button>
          <Button leftSection={<Plus />} variant="default" onClick={() => setDraft({ kind: 'OIDC', provider: null })}>
            {words.kinds.OIDC}
          </Button>
        </Group>
      </Group>
      <Paper withBorder>
        <LoadedView query={query} rows={2}>
          {({ authProviders }) =>
            authProviders.length === 0 ? (
              <Notice title={words.empty} hint={words.emptyHint} />
            ) : (
              <DataTable headings={[columns.name, columns.kind, columns.state]} hasActions label={words.title}>
                {authProviders.map((provider) => (
                  <ProviderRow
                    key={provider.id}
                    provider={provider}
                    onEdit={() => setDraft({ kind: provider.kind, provider })}
                  />
                ))}
              </DataTable>
            )
          }
        </LoadedView>
      </Paper>
      <ProviderDrawer draft={draft} onClose={() => setDraft(null)} />
    </>
  )
}

function ProviderRow({ provider, onEdit }: { provider: ProviderPartsFragment; onEdit: () => void }) {
  const { id, name, kind, enabled, callbackUrl } = provider
  const test = useAction(TestAuthProviderDocument)
  const [steps, setSteps] = useState<readonly Step[]>([])
  async function tryIt() {
    setSteps((await test.act({ id }))?.steps ?? [])
  }
  return (
    <tr>
      <th scope="row">
        {name}
        {callbackUrl !== null && (
          <Text fz="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {words.callback} <code>{callbackUrl}</code>
          </Text>
        )}
        <div role="status">
          <Diagnosis steps={steps} />
        </div>
        <Refused message={test.problem} />
      </th>
      <td data-label={columns.kind}>{words.kinds[kind]}</td>
      <td data-label={columns.state}>
        <Badge variant="light" color={enabled ? 'teal' : 'gray'} tt="none" fw={600} miw="max-content">
          {enabled ? words.enabled : words.disabled}
        </Badge>
      </td>
      <td data-actions>
        <Button size="xs" variant="subtle" loading={test.isBusy} onClick={() => void tryIt()}>
          {words.test}
        </Button>
        <Button size="xs" variant="subtle" aria-label={words.edit(name)} onClick={onEdit}>
          {messages.users.edit}
        </Button>
      </td>
    </tr>
  )
}

/** What a sign-in would meet, up to the first thing that is wrong. */
function Diagnosis({ steps }: { steps: readonly Step[] }) {
  if (steps.length === 0) return null
  return (
    <List fz="sm" fw={400} mt="xs" spacing={4} listStyleType="none" p={0}>
      {steps.map(({ name, ok, detail }) => (
        <List.Item key={name} icon={<Text c={ok ? 'var(--good)' : 'var(--bad)'}>{ok ? <Check /> : <Warning />}</Text>}>
          <Text span inherit fw={550}>
            {toSentence(name)}
          </Text>{' '}
          <Text span inherit c="dimmed">
            {detail}
          </Text>
        </List.Item>
      ))}
    </List>
  )
}
