import { Badge, Button, Group, Paper, Text } from '@mantine/core'
import { useState } from 'react'
import { DataTable } from '../app/DataTable'
import { toSentence } from '../app/format'
import { Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import { Time } from '../app/Time'
import { useConfirm } from '../app/useConfirm'
import {
  CheckSecretDocument,
  DeleteSecretDocument,
  SecretsDocument,
  type SecretPartsFragment,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { SetSecret } from './SetSecret'
import { useMay } from './viewer'

const words = messages.secrets
const { columns } = words
// Without it an empty list would not be asked for again when a secret has been stored.
const CONTEXT = { additionalTypenames: ['Secret'] }

/** The tokens that one's runs are given: stored, asked about and erased, but never shown. */
export function Secrets() {
  const may = useMay()
  const [isSetting, setIsSetting] = useState(false)
  const query = useLoaded({ query: SecretsDocument, variables: {}, context: CONTEXT })
  return (
    <>
      <Group justify="space-between" align="flex-start" mb="md" gap="sm">
        <Text c="dimmed" fz="sm" maw={640}>
          {words.lead}
        </Text>
        {may('secrets.own') && (
          <Button leftSection={<Plus />} onClick={() => setIsSetting(true)}>
            {words.store}
          </Button>
        )}
      </Group>
      <Paper withBorder>
        <LoadedView query={query}>{({ secrets }) => <SecretTable secrets={secrets} />}</LoadedView>
      </Paper>
      <SetSecret isOpen={isSetting} onClose={() => setIsSetting(false)} />
    </>
  )
}

function SecretTable({ secrets }: { secrets: SecretPartsFragment[] }) {
  const may = useMay()
  const check = useAction(CheckSecretDocument)
  const remove = useAction(DeleteSecretDocument, ['Secret'])
  const [checkedId, setCheckedId] = useState<string | null>(null)
  const [confirm, dialog] = useConfirm()
  if (secrets.length === 0)
    return <Notice title={words.empty} {...(may('secrets.own') ? { hint: words.emptyHint } : {})} />

  function ask({ name, scope }: SecretPartsFragment) {
    confirm({
      title: words.removeTitle(name),
      hint: words.removeHint[scope],
      yes: words.removeYes,
      color: 'red',
      onYes: () => remove.act({ name, scope }),
    })
  }

  return (
    <>
      <Refused message={check.problem ?? remove.problem} />
      <DataTable
        headings={[columns.name, columns.scope, columns.state, columns.account, columns.set]}
        hasActions
        label={words.title}
      >
        {secrets.map((secret) => {
          const { id, name, kind, scope, setAt, setBy } = secret
          const mayChange = may('secrets.own') && (scope === 'PERSONAL' || may('secrets.edit'))
          return (
            <tr key={id}>
              <th scope="row">
                {words.kinds[kind]}
                <Text component="code" ff="monospace" fz="xs" c="dimmed" display="block">
                  {name}
                </Text>
              </th>
              <td data-label={columns.scope}>{words.scopes[scope]}</td>
              <td data-label={columns.state}>
                <CheckState secret={secret} />
              </td>
              <td data-label={columns.account}>
                <Account secret={secret} />
              </td>
              <td data-label={columns.set}>
                <span>
                  <Time at={setAt} /> {setBy && messages.versions.by(setBy.username)}
                </span>
              </td>
              <td data-actions>
                {mayChange && (
                  <Group gap={4} justify="flex-end" wrap="nowrap">
                    {kind !== 'OTHER' && (
                      <Button
                        size="xs"
                        variant="subtle"
                        loading={check.isBusy && checkedId === id}
                        onClick={() => {
                          setCheckedId(id)
                          void check.act({ name, scope })
                        }}
                      >
                        {words.check}
                      </Button>
                    )}
                    <Button
                      size="xs"
                      variant="subtle"
                      color="red"
                      aria-label={words.removeNamed(name)}
                      onClick={() => ask(secret)}
                    >
                      {words.remove}
                    </Button>
                  </Group>
                )}
              </td>
            </tr>
          )
        })}
      </DataTable>
      {dialog}
    </>
  )
}

const COLORS = { ACCEPTED: 'teal', REFUSED: 'red', UNREACHABLE: 'yellow' }

function CheckState({ secret }: { secret: SecretPartsFragment }) {
  const { checkResult, checkMessage, lastCheckedAt } = secret
  if (checkResult === null) return <span>{words.notChecked}</span>
  return (
    <div>
      <Badge variant="light" tt="none" fw={600} color={COLORS[checkResult]}>
        {words.results[checkResult]}
      </Badge>{' '}
      {lastCheckedAt && (
        <Text span fz="xs" c="dimmed">
          <Time at={lastCheckedAt} />
        </Text>
      )}
      {checkMessage && checkResult !== 'ACCEPTED' && (
        <Text fz="xs" maw={320}>
          {toSentence(checkMessage)}
        </Text>
      )}
    </div>
  )
}

function Account({ secret: { account, role, namespaces } }: { secret: SecretPartsFragment }) {
  if (account === null) return <span>{messages.none}</span>
  const others = namespaces.filter((namespace) => namespace !== account)
  return (
    <span title={others.join(', ')}>
      {account}
      {role !== null && ` · ${words.roles[role] ?? role}`}
      {others.length > 0 && ` · ${words.alsoIn(others.length)}`}
    </span>
  )
}
