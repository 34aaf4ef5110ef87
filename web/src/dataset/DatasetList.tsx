import { Group, Stack, Text } from '@mantine/core'
import { messages } from '../app/messages'
import type { EnvironmentQuery } from '../graphql/generated/documents'

const words = messages.environments
type Dataset = NonNullable<EnvironmentQuery['environment']>['datasets'][number]

export function DatasetList({ datasets }: { datasets: Dataset[] }) {
  if (datasets.length === 0) return <Text c="dimmed">{words.noDatasets}</Text>
  return (
    <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: 'none' }}>
      {datasets.map(({ id, name, kind, numImages }) => (
        <Group key={id} component="li" justify="space-between" gap="xs">
          <Text fw={550} fz="sm">
            {name}
          </Text>
          <Text c="dimmed" fz="sm">
            {kind}
            {numImages !== null && ` · ${words.images(numImages)}`}
          </Text>
        </Group>
      ))}
    </Stack>
  )
}
