import { Group, Stack, Text } from '@mantine/core'
import { toSentence } from '../app/format'
import { messages } from '../app/messages'
import { Time } from '../app/Time'
import { formatValue } from './configRows'
import type { EnvironmentQuery } from '../graphql/generated/documents'

const words = messages.environments
type Version = NonNullable<EnvironmentQuery['environment']>['versions']['edges'][number]['node']

/** Who changed what, newest first: each key with its value before and after. */
export function VersionHistory({ versions }: { versions: Version[] }) {
  return (
    <Stack component="ol" gap="md" m={0} p={0} style={{ listStyle: 'none' }}>
      {versions.map(({ number, at, author, summary, changes }) => (
        <li key={number}>
          <Group gap="xs" fz="sm">
            <Text inherit fw={550}>
              {words.version(number)}
            </Text>
            <Text inherit c="dimmed">
              <Time at={at} /> {author && words.by(author.username)}
            </Text>
          </Group>
          {summary && <Text fz="sm">{toSentence(summary)}</Text>}
          {changesToShow(number, changes).map(({ key, before, after }) => (
            <Text key={key} fz="xs" ff="monospace" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {key}: {describe(before)} → {describe(after)}
            </Text>
          ))}
        </li>
      ))}
    </Stack>
  )
}

/** The first version set everything that it has, which the configuration itself shows. */
function changesToShow(number: number, changes: Version['changes']): Version['changes'] {
  return number === 1 ? [] : changes
}

function describe(value: unknown): string {
  return value === null || value === undefined ? words.notSet : formatValue(value)
}
