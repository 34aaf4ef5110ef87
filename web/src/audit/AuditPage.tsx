import { Button, Group, NativeSelect, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { DataTable } from '../app/DataTable'
import { formatCount } from '../app/format'
import { Download, Resume } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Rows } from '../app/Rows'
import { withParameter } from '../app/searchParameters'
import {
  AuditLogDocument,
  PeopleDocument,
  type AuditLogQuery,
  type AuditLogQueryVariables,
} from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import { useMay } from '../user/viewer'
import { AuditRow } from './AuditRow'
import { exportAddress, readFilters, toFilter, type AuditFilters } from './filters'

const words = messages.audit
const { columns } = words
const HEADINGS = [columns.at, columns.who, columns.what, columns.subject, columns.via]
const PAGE_LENGTH = 50
const MOST_PEOPLE = 100

/** What people did, newest first. */
export default function AuditPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [parameters, setParameters] = useSearchParams()
  const [now, setNow] = useState(() => Date.now())
  const filters = readFilters(parameters)
  const variables: AuditLogQueryVariables = { first: PAGE_LENGTH, filter: toFilter(filters, now) }
  const query = useLoaded({ query: AuditLogDocument, variables })

  function set(key: string, value: string | null) {
    setParameters((before) => withParameter(before, key, value), { replace: true })
  }

  function refresh() {
    setNow(Date.now())
    query.refresh()
  }

  return (
    <>
      <PageTitle
        title={words.title}
        actions={
          <Group gap="xs">
            <Button variant="default" leftSection={<Resume />} loading={query.isBusy} onClick={refresh}>
              {words.refresh}
            </Button>
            <Button
              component="a"
              href={exportAddress(filters, now)}
              download
              variant="default"
              leftSection={<Download />}
            >
              {words.export}
            </Button>
          </Group>
        }
      />
      <Text c="dimmed" fz="sm" mb="md" maw={720}>
        {words.lead}
      </Text>
      <Filters filters={filters} entries={query.data?.auditLog} onSet={set} />
      <Paper withBorder>
        <LoadedView query={query} rows={8}>
          {({ auditLog }) =>
            auditLog.totalCount === 0 ? (
              <Notice title={words.empty} hint={words.emptyHint}>
                <Button
                  variant="default"
                  mt="sm"
                  onClick={() => setParameters(new URLSearchParams(), { replace: true })}
                >
                  {words.clear}
                </Button>
              </Notice>
            ) : (
              <DataTable headings={HEADINGS} label={words.title}>
                <Rows
                  connection={auditLog}
                  document={AuditLogDocument}
                  variables={variables}
                  connectionOf={(data) => data.auditLog}
                  numColumns={HEADINGS.length}
                  row={(entry) => <AuditRow key={entry.id} entry={entry} onPerson={(id) => set('actor', id)} />}
                />
              </DataTable>
            )
          }
        </LoadedView>
      </Paper>
    </>
  )
}

interface FiltersProps {
  filters: AuditFilters
  entries: AuditLogQuery['auditLog'] | undefined
  onSet: (key: string, value: string | null) => void
}

function Filters({ filters, entries, onSet }: FiltersProps) {
  const people = usePeople(entries, filters.actorId)
  const choose = (key: string) => (event: { currentTarget: HTMLSelectElement }) =>
    onSet(key, event.currentTarget.value === '' ? null : event.currentTarget.value)
  const options = (first: string, others: Iterable<[string, string]>) => [
    { value: '', label: first },
    ...[...others].map(([value, label]) => ({ value, label })),
  ]
  return (
    <Group mb="sm" gap="sm" align="flex-end">
      <NativeSelect
        label={words.person}
        data={options(words.everybody, people)}
        value={filters.actorId ?? ''}
        onChange={choose('actor')}
      />
      <NativeSelect
        label={words.action}
        data={options(words.everything, Object.entries(words.actions))}
        value={filters.action ?? ''}
        onChange={choose('action')}
      />
      <NativeSelect
        label={words.last}
        data={options(words.anyTime, Object.entries(words.lasts))}
        value={filters.last ?? ''}
        onChange={choose('last')}
      />
      <Text c="dimmed" fz="sm" role="status" pb={8}>
        {entries && words.count(formatCount(entries.totalCount))}
      </Text>
    </Group>
  )
}

/** Whom one can choose: the users, for who may list them, and in any case who is in the entries. */
function usePeople(entries: AuditLogQuery['auditLog'] | undefined, chosenId: string | null): Map<string, string> {
  const may = useMay()
  const { data } = useLoaded({ query: PeopleDocument, variables: { first: MOST_PEOPLE }, pause: !may('admin.users') })
  // Somebody who has been seen stays in the list, whatever is filtered out.
  const [seen, setSeen] = useState<ReadonlyMap<string, string>>(new Map())
  const actors = entries?.edges.flatMap(({ node: { actor } }) => (actor ? [actor] : [])) ?? []
  const fresh = actors.filter(({ id, username }) => seen.get(id) !== username)
  if (fresh.length > 0) setSeen(new Map([...seen, ...fresh.map(({ id, username }) => [id, username] as const)]))
  const users = data?.users.edges.map(({ node }) => [node.id, node.username] as const) ?? []
  const people = new Map([...seen, ...users])
  if (chosenId !== null && !people.has(chosenId)) people.set(chosenId, messages.none)
  return new Map([...people].sort(([, one], [, other]) => one.localeCompare(other)))
}
