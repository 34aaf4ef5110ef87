import { Button, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useQuery } from 'urql'
import { DataTable } from '../app/DataTable'
import { Plus } from '../app/icons'
import { messages } from '../app/messages'
import { Failure, Notice, Refused } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Pending } from '../app/Pending'
import { Time } from '../app/Time'
import { useConfirm } from '../app/useConfirm'
import { ApiKeysDocument, RevokeApiKeyDocument, type ApiKeysQuery } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { CreateApiKey } from './CreateApiKey'

const words = messages.apiKeys
// Without it an empty list would not be asked for again when a key has been created.
const CONTEXT = { additionalTypenames: ['ApiKey'] }
type ApiKey = ApiKeysQuery['viewer']['apiKeys'][number]

export function ApiKeysPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [isCreating, setIsCreating] = useState(false)
  const [{ data, error }, refresh] = useQuery({
    query: ApiKeysDocument,
    requestPolicy: 'cache-and-network',
    context: CONTEXT,
  })
  const create = (
    <Button leftSection={<Plus />} onClick={() => setIsCreating(true)}>
      {words.create}
    </Button>
  )
  return (
    <>
      <PageTitle title={words.title} actions={create} />
      <Text c="dimmed" fz="sm" mb="md" maw={640}>
        {words.lead}
      </Text>
      <Paper withBorder>
        {data && <ApiKeyTable apiKeys={data.viewer.apiKeys.filter(({ revokedAt }) => revokedAt === null)} />}
        {!data && error && <Failure error={error} onRetry={refresh} />}
        {!data && !error && <Pending />}
      </Paper>
      <CreateApiKey isOpen={isCreating} onClose={() => setIsCreating(false)} />
    </>
  )
}

function ApiKeyTable({ apiKeys }: { apiKeys: ApiKey[] }) {
  const revoke = useAction(RevokeApiKeyDocument)
  const [confirm, dialog] = useConfirm()
  if (apiKeys.length === 0) return <Notice title={words.empty} hint={words.emptyHint} />
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
        headings={[columns.name, columns.key, columns.created, columns.lastUsed, columns.expires]}
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
            <td data-label={columns.created}>
              <Time at={apiKey.createdAt} />
            </td>
            <td data-label={columns.lastUsed}>{apiKey.lastUsedAt ? <Time at={apiKey.lastUsedAt} /> : words.unused}</td>
            <td data-label={columns.expires}>{apiKey.expiresAt ? <Time at={apiKey.expiresAt} /> : words.never}</td>
            <td data-actions>
              <Button size="xs" variant="subtle" color="red" onClick={() => ask(apiKey)}>
                {words.revoke}
              </Button>
            </td>
          </tr>
        ))}
      </DataTable>
      {dialog}
    </>
  )
}
