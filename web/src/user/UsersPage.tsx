import { Button, Group, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { DataTable } from '../app/DataTable'
import { formatCount } from '../app/format'
import { Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Rows } from '../app/Rows'
import { SearchField } from '../app/SearchField'
import { withParameter } from '../app/searchParameters'
import { UsersDocument, type UsersQuery, type UsersQueryVariables } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import { AddUser } from './AddUser'
import { UserDrawer } from './UserDrawer'
import { UserRow } from './UserRow'

const words = messages.users
const { columns } = words
const HEADINGS = [columns.user, columns.levels, columns.state, columns.seen, columns.created]
const PAGE_LENGTH = 25
// Without it the list would not be asked for again when it is empty, or when somebody has been deleted.
const CONTEXT = { additionalTypenames: ['User'] }

/** Everybody who has an account, for those who administer them. */
export default function UsersPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [parameters, setParameters] = useSearchParams()
  const search = parameters.get('search') ?? ''
  const chosen = parameters.get('user')
  const [isAdding, setIsAdding] = useState(false)
  const variables: UsersQueryVariables = { first: PAGE_LENGTH, search: search === '' ? null : search }
  const query = useLoaded({ query: UsersDocument, variables, context: CONTEXT })

  function set(key: string, value: string | null) {
    setParameters((before) => withParameter(before, key, value), { replace: true })
  }

  return (
    <>
      <PageTitle
        title={words.title}
        actions={
          <Button leftSection={<Plus />} onClick={() => setIsAdding(true)}>
            {words.add}
          </Button>
        }
      />
      <Group mb="sm" gap="sm">
        <SearchField
          label={words.search}
          search={search}
          onSearch={(text) => set('search', text === '' ? null : text)}
        />
        <Text c="dimmed" fz="sm" role="status">
          {query.data && words.count(formatCount(query.data.users.totalCount))}
        </Text>
      </Group>
      <Paper withBorder>
        <LoadedView query={query}>
          {({ users }) =>
            users.totalCount === 0 ? (
              <Notice title={words.noMatch} hint={words.noMatchHint}>
                <Button variant="default" mt="sm" onClick={() => set('search', null)}>
                  {words.clearSearch}
                </Button>
              </Notice>
            ) : (
              <UserTable users={users} variables={variables} onEdit={(id) => set('user', id)} />
            )
          }
        </LoadedView>
      </Paper>
      <AddUser isOpen={isAdding} onClose={() => setIsAdding(false)} />
      <UserDrawer userId={chosen} onClose={() => set('user', null)} />
    </>
  )
}

interface UserTableProps {
  users: UsersQuery['users']
  variables: UsersQueryVariables
  onEdit: (id: string) => void
}

function UserTable({ users, variables, onEdit }: UserTableProps) {
  return (
    <DataTable headings={HEADINGS} hasActions label={words.title}>
      <Rows
        connection={users}
        document={UsersDocument}
        variables={variables}
        connectionOf={(data) => data.users}
        numColumns={HEADINGS.length + 1}
        row={(user) => <UserRow key={user.id} user={user} onEdit={() => onEdit(user.id)} />}
      />
    </DataTable>
  )
}
