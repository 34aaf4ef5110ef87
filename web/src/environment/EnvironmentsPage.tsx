import { Button, Group, Paper } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useQuery } from 'urql'
import { Link } from 'wouter'
import { DataTable } from '../app/DataTable'
import { Play, Plus } from '../app/icons'
import { messages } from '../app/messages'
import { Failure, Notice, Refused } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Pending } from '../app/Pending'
import { routes } from '../app/routes'
import { Time } from '../app/Time'
import { EnvironmentsDocument, type EnvironmentsQuery } from '../graphql/generated/documents'
import { useStartTraining } from '../run/useStartTraining'
import { useMay } from '../user/viewer'
import { ExampleCards } from './ExampleCards'
import { NewFromExample } from './NewFromExample'

const words = messages.environments
const PAGE_LENGTH = 50
type EnvironmentRow = EnvironmentsQuery['environments']['edges'][number]['node']

export function EnvironmentsPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const may = useMay()
  const [isCreating, setIsCreating] = useState(false)
  const [first, setFirst] = useState(PAGE_LENGTH)
  const [{ data, error, fetching }, refresh] = useQuery({
    query: EnvironmentsDocument,
    variables: { first },
    requestPolicy: 'cache-and-network',
  })
  const listed = data?.environments
  const create = (
    <Button leftSection={<Plus />} onClick={() => setIsCreating(true)}>
      {words.newFromExample}
    </Button>
  )
  return (
    <>
      <PageTitle title={words.title} actions={listed?.totalCount && may('config.create') ? create : null} />
      <Paper withBorder>
        {listed && <EnvironmentTable environments={listed.edges.map(({ node }) => node)} />}
        {!listed && error && <Failure error={error} onRetry={refresh} />}
        {!listed && !error && <Pending />}
      </Paper>
      {listed?.pageInfo.hasNextPage && (
        <Group justify="center" mt="md">
          <Button variant="default" loading={fetching} onClick={() => setFirst(first + PAGE_LENGTH)}>
            {messages.showMore}
          </Button>
        </Group>
      )}
      <NewFromExample isOpen={isCreating} onClose={() => setIsCreating(false)} />
    </>
  )
}

function EnvironmentTable({ environments }: { environments: EnvironmentRow[] }) {
  const may = useMay()
  const training = useStartTraining()
  const [startedId, setStartedId] = useState<string | null>(null)
  const { columns } = words
  if (environments.length === 0 && !may('config.create'))
    return <Notice title={words.emptyForViewer} hint={words.emptyForViewerHint} />
  if (environments.length === 0)
    return (
      <Notice title={words.empty} hint={words.emptyHint}>
        <ExampleCards />
      </Notice>
    )
  function start(id: string) {
    setStartedId(id)
    void training.start(id)
  }
  return (
    <>
      <Refused message={training.problem} />
      <DataTable
        headings={[columns.name, columns.family, columns.version, columns.updated]}
        hasActions
        label={words.title}
      >
        {environments.map(({ id, name, family, modelType, version, updatedAt }) => (
          <tr key={id}>
            <th scope="row">
              <Link href={routes.environment(id)}>{name}</Link>
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
        ))}
      </DataTable>
    </>
  )
}
