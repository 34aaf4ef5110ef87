import { ActionIcon, Select, Stack, Text } from '@mantine/core'
import { Link } from 'wouter'
import { ChevronDown, ChevronUp, Cross, Warning } from '../app/icons'
import { messages } from '../app/messages'
import { routes } from '../app/routes'
import { DatasetChoicesDocument, type DatasetRowFragment } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import classes from './DatasetChooser.module.css'
import { moved } from './order'

const words = messages.datasetChooser
const MOST_CHOICES = 100

interface DatasetChooserProps {
  /** Ids of the chosen ones, in their order. */
  chosen: readonly string[]
  /** Those that are known already; the others are asked for. */
  known: readonly DatasetRowFragment[]
  problem?: string | undefined
  isReadOnly?: boolean
  onChange: (chosen: string[]) => void
}

/** What an environment trains on, in order: to be added, removed and moved. */
export function DatasetChooser({ chosen, known, problem, isReadOnly = false, onChange }: DatasetChooserProps) {
  const { data, error } = useLoaded({ query: DatasetChoicesDocument, variables: { first: MOST_CHOICES } })
  const all = new Map(
    [...(data?.datasets.edges.map(({ node }) => node) ?? []), ...known].map((each) => [each.id, each]),
  )
  const others = [...all.values()].filter(({ id }) => !chosen.includes(id))
  return (
    <Stack gap="sm">
      {chosen.length === 0 ? (
        <Text c="dimmed" fz="sm">
          {words.none}
        </Text>
      ) : (
        <ol className={classes.list}>
          {chosen.map((id, place) => (
            <DatasetRow
              key={id}
              dataset={all.get(id)}
              isFirst={place === 0}
              isLast={place === chosen.length - 1}
              isReadOnly={isReadOnly}
              onMove={(by) => onChange(moved(chosen, place, by))}
              onRemove={() => onChange(chosen.filter((each) => each !== id))}
            />
          ))}
        </ol>
      )}
      {!isReadOnly && (
        <Select
          aria-label={words.add}
          placeholder={others.length === 0 && data ? words.noOthers : words.add}
          data={others.map(({ id, name }) => ({ value: id, label: name }))}
          value={null}
          searchable
          disabled={others.length === 0}
          maw={360}
          nothingFoundMessage={words.noMatch}
          error={error && !data ? words.failed : undefined}
          onChange={(id) => id !== null && onChange([...chosen, id])}
        />
      )}
      {problem !== undefined && (
        <Text fz="sm" className={classes.problem ?? ''} role="alert">
          <Warning size={14} /> {problem}
        </Text>
      )}
    </Stack>
  )
}

interface DatasetRowProps {
  dataset: DatasetRowFragment | undefined
  isFirst: boolean
  isLast: boolean
  isReadOnly: boolean
  onMove: (by: number) => void
  onRemove: () => void
}

function DatasetRow({ dataset, isFirst, isLast, isReadOnly, onMove, onRemove }: DatasetRowProps) {
  const name = dataset?.name ?? messages.loading
  return (
    <li className={classes.dataset}>
      <span className={classes.about}>
        <span className={classes.name}>{dataset ? <Link href={routes.dataset(dataset.id)}>{name}</Link> : name}</span>
        {dataset && (
          <Text fz="xs" c="dimmed" component="span">
            {dataset.kind}
            {dataset.numImages === null
              ? ` · ${words.unreadable}`
              : ` · ${messages.environments.images(dataset.numImages)}`}
          </Text>
        )}
      </span>
      {!isReadOnly && (
        <span className={classes.actions}>
          <Act label={words.up(name)} isDisabled={isFirst} onAct={() => onMove(-1)} Icon={ChevronUp} />
          <Act label={words.down(name)} isDisabled={isLast} onAct={() => onMove(1)} Icon={ChevronDown} />
          <Act label={words.remove(name)} onAct={onRemove} Icon={Cross} />
        </span>
      )}
    </li>
  )
}

interface ActProps {
  label: string
  isDisabled?: boolean
  onAct: () => void
  Icon: typeof Cross
}

function Act({ label, isDisabled = false, onAct, Icon }: ActProps) {
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={label} title={label} disabled={isDisabled} onClick={onAct}>
      <Icon size={16} />
    </ActionIcon>
  )
}
