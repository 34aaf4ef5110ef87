import { ActionIcon, Button, Group, NativeSelect, Text } from '@mantine/core'
import { Swap } from '../../app/icons'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Notice } from '../../app/Notice'
import { Panel } from '../../app/Panel'
import { EnvironmentDifferenceDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { DifferenceTable } from './DifferenceTable'
import type { Pair } from './pair'

const words = messages.versions

interface ComparisonProps {
  environmentId: string
  newest: number
  pair: Pair
  labelOf: (key: string) => string
  onCompare: (from: number, to: number) => void
  onRestore?: (number: number) => void
}

/** What leads from one version to another. */
export function Comparison({ environmentId, newest, pair, labelOf, onCompare, onRestore }: ComparisonProps) {
  const { from, to } = pair
  const query = useLoaded({ query: EnvironmentDifferenceDocument, variables: { id: environmentId, from, to } })
  const numbers = Array.from({ length: newest }, (_, index) => String(newest - index))
  const choose = (event: { currentTarget: HTMLSelectElement }) => Number(event.currentTarget.value)
  const numChanges = query.data?.environment?.difference.length
  return (
    <Panel
      title={words.compare}
      aside={
        <Text fz="xs" c="dimmed" role="status">
          {numChanges !== undefined && numChanges > 0 && words.numChanges(numChanges)}
        </Text>
      }
      isFlush
    >
      <Group gap="xs" px="md" pb="sm" align="flex-end" wrap="nowrap">
        <NativeSelect
          label={words.from}
          data={numbers.map((value) => ({ value, label: messages.environments.version(Number(value)) }))}
          value={String(from)}
          onChange={(event) => onCompare(choose(event), to)}
          flex={1}
        />
        <ActionIcon
          variant="default"
          size={36}
          aria-label={words.swap}
          title={words.swap}
          onClick={() => onCompare(to, from)}
        >
          <Swap />
        </ActionIcon>
        <NativeSelect
          label={words.to}
          data={numbers.map((value) => ({ value, label: messages.environments.version(Number(value)) }))}
          value={String(to)}
          onChange={(event) => onCompare(from, choose(event))}
          flex={1}
        />
      </Group>
      <LoadedView query={query} rows={4}>
        {({ environment }) =>
          environment && environment.difference.length > 0 ? (
            <DifferenceTable changes={environment.difference} pair={pair} labelOf={labelOf} />
          ) : (
            <Notice title={words.same} hint={words.sameHint} />
          )
        }
      </LoadedView>
      {onRestore && from !== to && Math.min(from, to) < newest && (
        <Group justify="flex-end" p="sm">
          <Button size="xs" variant="default" onClick={() => onRestore(Math.min(from, to))}>
            {words.restoreNumbered(Math.min(from, to))}
          </Button>
        </Group>
      )}
    </Panel>
  )
}
