import { Button, Group, Paper, SimpleGrid, Stack, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useQuery } from 'urql'
import { Breadcrumb } from '../app/Breadcrumb'
import { Play } from '../app/icons'
import { messages } from '../app/messages'
import { Failure, Notice, Refused } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Panel } from '../app/Panel'
import { Pending } from '../app/Pending'
import { routes } from '../app/routes'
import { Time } from '../app/Time'
import { ConfigTable } from './ConfigTable'
import { DatasetList } from '../dataset/DatasetList'
import { EnvironmentDocument, type EnvironmentQuery } from '../graphql/generated/documents'
import { useStartTraining } from '../run/useStartTraining'
import { useMay } from '../user/viewer'
import { VersionHistory } from './VersionHistory'

const words = messages.environments
type Environment = NonNullable<EnvironmentQuery['environment']>

export function EnvironmentPage({ id }: { id: string }) {
  const [{ data, error }, refresh] = useQuery({
    query: EnvironmentDocument,
    variables: { id },
    requestPolicy: 'cache-and-network',
  })
  useDocumentTitle(`${data?.environment?.name ?? words.title} · ${messages.product}`)
  if (data?.environment) return <EnvironmentView environment={data.environment} />
  if (data) return <Notice title={words.missing} hint={messages.shell.notFoundHint} />
  if (error) return <Failure error={error} onRetry={refresh} />
  return (
    <Paper withBorder>
      <Pending />
    </Paper>
  )
}

function EnvironmentView({ environment }: { environment: Environment }) {
  const { id, name, version, family, modelType, updatedAt, config, datasets, versions } = environment
  const may = useMay()
  const training = useStartTraining()
  const start = (
    <Button leftSection={<Play />} loading={training.isBusy} onClick={() => void training.start(id)}>
      {words.start}
    </Button>
  )
  return (
    <>
      <Breadcrumb href={routes.environments} label={words.title} />
      <PageTitle title={name} actions={may('job.submit') ? start : null} />
      <Group gap="lg" mb="md" c="dimmed" fz="sm">
        <Text inherit>{words.version(version)}</Text>
        <Text inherit>
          {family} · {modelType}
        </Text>
        <Text inherit>
          {words.updated} <Time at={updatedAt} />
        </Text>
      </Group>
      <Stack>
        <Refused message={training.problem} />
        <SimpleGrid cols={{ base: 1, md: 2 }} verticalSpacing="md">
          <Panel title={words.config} isFlush>
            <ConfigTable config={config} heightPx={560} />
          </Panel>
          <Stack>
            <Panel title={words.datasets}>
              <DatasetList datasets={datasets} />
            </Panel>
            <Panel title={words.history}>
              <VersionHistory versions={versions.edges.map(({ node }) => node)} />
            </Panel>
          </Stack>
        </SimpleGrid>
      </Stack>
    </>
  )
}
