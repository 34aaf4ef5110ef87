import { Badge, Button, Group, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { Link, useSearchParams } from 'wouter'
import { DataTable } from '../app/DataTable'
import { formatCount } from '../app/format'
import { Play, Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { routes } from '../app/routes'
import { Rows } from '../app/Rows'
import { SearchField } from '../app/SearchField'
import { withParameter } from '../app/searchParameters'
import { Time } from '../app/Time'
import {
  EnvironmentsDocument,
  type EnvironmentsQuery,
  type EnvironmentsQueryVariables,
} from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import { useStartTraining } from '../run/useStartTraining'
import { useMay } from '../user/viewer'
import { FolderProblems } from './FolderProblems'
import { ExampleCards } from './new/ExampleCards'

const words = messages.environments
const { columns } = words
const HEADINGS = [columns.name, columns.family, columns.version, columns.updated]
/** What this one sets counts for those that take the defaults of environments. */
const DEFAULTS = 'default'
const PAGE_LENGTH = 50
// Without it the list would not be asked for again when it is empty, or when one has been deleted.
const CONTEXT = { additionalTypenames: ['Environment'] }

/** Every environment that the viewer may see. */
export function EnvironmentsPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const may = useMay()
  const [parameters, setParameters] = useSearchParams()
  const search = parameters.get('search') ?? ''
  const variables: EnvironmentsQueryVariables = { first: PAGE_LENGTH, filter: search === '' ? null : { search } }
  const query = useLoaded({ query: EnvironmentsDocument, variables, context: CONTEXT })
  const setSearch = (text: string) =>
    setParameters((before) => withParameter(before, 'search', text === '' ? null : text), { replace: true })
  return (
    <>
      <PageTitle
        title={words.title}
        actions={
          may('config.create') && (
            <Group gap={8}>
              <Button component={Link} href={routes.importEnvironments} variant="default">
                {words.import}
              </Button>
              <Button component={Link} href={routes.newEnvironment} leftSection={<Plus />}>
                {words.create}
              </Button>
            </Group>
          )
        }
      />
      <Group mb="sm" gap="sm">
        <SearchField label={words.search} search={search} onSearch={setSearch} />
        <Text c="dimmed" fz="sm" role="status">
          {query.data && words.count(formatCount(query.data.environments.totalCount))}
        </Text>
      </Group>
      <FolderProblems />
      <Paper withBorder>
        <LoadedView query={query}>
          {({ environments }) =>
            environments.totalCount > 0 ? (
              <EnvironmentTable environments={environments} variables={variables} />
            ) : search === '' ? (
              <NoEnvironments />
            ) : (
              <Notice title={words.noMatch} hint={words.noMatchHint}>
                <Button variant="default" mt="sm" onClick={() => setSearch('')}>
                  {words.clearSearch}
                </Button>
              </Notice>
            )
          }
        </LoadedView>
      </Paper>
    </>
  )
}

function NoEnvironments() {
  const may = useMay()
  if (!may('config.create')) return <Notice title={words.emptyForViewer} hint={words.emptyForViewerHint} />
  return (
    <Notice title={words.empty} hint={words.emptyHint}>
      <ExampleCards />
    </Notice>
  )
}

interface EnvironmentTableProps {
  environments: EnvironmentsQuery['environments']
  variables: EnvironmentsQueryVariables
}

function EnvironmentTable({ environments, variables }: EnvironmentTableProps) {
  const may = useMay()
  const training = useStartTraining()
  const [startedId, setStartedId] = useState<string | null>(null)
  function start(id: string) {
    setStartedId(id)
    void training.start(id)
  }
  return (
    <>
      <Refused message={training.problem} />
      <DataTable headings={HEADINGS} hasActions label={words.title}>
        <Rows
          connection={environments}
          document={EnvironmentsDocument}
          variables={variables}
          connectionOf={(data) => data.environments}
          numColumns={HEADINGS.length + 1}
          row={({ id, name, family, modelType, isTemplate, version, updatedAt }) => (
            <tr key={id}>
              <th scope="row">
                <Link href={routes.environment(id)}>{name}</Link>
                {name === DEFAULTS && (
                  <Badge ml={8} variant="default" tt="none" fw={500} title={words.defaultsHint}>
                    {words.defaults}
                  </Badge>
                )}
                {isTemplate && (
                  <Badge ml={8} variant="light" tt="none" fw={500}>
                    {words.template}
                  </Badge>
                )}
              </th>
              <td data-label={columns.family}>
                <span>
                  {family} · {modelType}
                </span>
              </td>
              <td data-label={columns.version}>{version}</td>
              <td data-label={columns.updated}>
                <Time at={updatedAt} />
              </td>
              <td data-actions>
                {may('job.submit') && (
                  <Button
                    size="xs"
                    variant="light"
                    leftSection={<Play size={14} />}
                    loading={training.isBusy && startedId === id}
                    onClick={() => start(id)}
                  >
                    {words.start}
                  </Button>
                )}
              </td>
            </tr>
          )}
        />
      </DataTable>
    </>
  )
}
