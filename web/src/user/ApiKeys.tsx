import { Button, Group, Paper, Text } from '@mantine/core'
import { useState } from 'react'
import { DataTable } from '../app/DataTable'
import { Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import { Time } from '../app/Time'
import { useConfirm } from '../app/useConfirm'
import { ApiKeysDocument, RevokeApiKeyDocument, type ApiKeysQuery } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { CreateApiKey } from './CreateApiKey'
import { useMay } from './viewer'

const words = messages.apiKeys
// Without it an empty list would not be asked for again when a key has been created.
const CONTEXT = { additionalTypenames: ['ApiKey'] }
type ApiKey = ApiKeysQuery['viewer']['apiKeys'][number]

/** The keys of one's scripts. */
export function ApiKeys() {
  const may = useMay()
  const [isCreating, setIsCreating] = useState(false)
  const query = useLoaded({ query: ApiKeysDocument, variables: {}, context: CONTEXT })
  return (
    <>
      <Group justify="space-between" align="flex-start" mb="md" gap="sm">
        <Text c="dimmed" fz="sm" maw={640}>
          {may('api.access') ? words.lead : words.notUsable}
        </Text>
        {may('api.keys.own') && (
          <Button leftSection={<Plus />} onClick={() => setIsCreating(true)}>
            {words.create}
          </Button>
        )}
      </Group>
      <Paper withBorder>
        <LoadedView query={query}>
          {({ viewer }) => <ApiKeyTable apiKeys={viewer.apiKeys.filter(({ revokedAt }) => revokedAt === null)} />}
        </LoadedView>
      </Paper>
      <CreateApiKey isOpen={isCreating} onClose={() => setIsCreating(false)} />
    </>
  )
}

function ApiKeyTable({ apiKeys }: { apiKeys: ApiKey[] }) {
  const may = useMay()
  const revoke = useAction(RevokeApiKeyDocument)
  const [confirm, dialog] = useConfirm()
  if (apiKeys.length === 0)
    return <Notice title={words.empty} {...(may('api.keys.own') ? { hint: words.emptyHint } : {})} />
  const ask = ({ id, name }: ApiKey) =>
    confirm({
      title: words.revokeTitle,
      hint: words.revokeHint(name),
      yes: words.revoke,
      color: 'red',
      onYes: () => revoke.act({ id }),
    })
  const { columns } = words
  return (
    <>
      <Refused message={revoke.problem} />
      <DataTable
        headings={[columns.name, columns.key, columns.may, columns.created, columns.lastUsed, columns.expires]}
        hasActions
        label={words.title}
      >
        {apiKeys.map((apiKey) => (
          <tr key={apiKey.id}>
            <th scope="row">{apiKey.name}</th>
            <td data-label={columns.key}>
              <Text component="code" ff="monospace" fz="sm">
                {apiKey.prefix}…
              </Text>
            </td>
            <td data-label={columns.may} title={apiKey.permissions?.join(', ')}>
              {apiKey.permissions ? words.limited(apiKey.permissions.length) : words.everything}
            </td>
            <td data-label={columns.created}>
              <Time at={apiKey.createdAt} />
            </td>
            <td data-label={columns.lastUsed}>{apiKey.lastUsedAt ? <Time at={apiKey.lastUsedAt} /> : words.unused}</td>
            <td data-label={columns.expires}>{apiKey.expiresAt ? <Time at={apiKey.expiresAt} /> : words.never}</td>
            <td data-actions>
              {may('api.keys.own', 'api.keys.all') && (
                <Button size="xs" variant="subtle" color="red" onClick={() => ask(apiKey)}>
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
