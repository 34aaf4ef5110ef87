import { Badge, Button, Group, Text } from '@mantine/core'
import { toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { Time } from '../../app/Time'
import type { VersionPartsFragment } from '../../graphql/generated/documents'
import { describe } from '../changes'
import type { Pair } from './pair'
import classes from './Timeline.module.css'

const words = messages.versions
/** What a version changed is listed as long as it is few; the rest is in the comparison. */
const MOST_CHANGES = 4

/** How the service calls changes that were made by hand in the folder. */
const VIA_FILE = 'file'

interface TimelineProps {
  versions: readonly VersionPartsFragment[]
  newest: number
  pair: Pair
  labelOf: (key: string) => string
  hasMore: boolean
  isBusy: boolean
  onMore: () => void
  onCompare: (from: number, to: number) => void
  onRestore?: (number: number) => void
}

/** Who changed what, newest first. */
export function Timeline(props: TimelineProps) {
  const { versions, hasMore, isBusy, onMore } = props
  return (
    <>
      <ol className={classes.timeline}>
        {versions.map((version) => (
          <Entry key={version.number} version={version} {...props} />
        ))}
      </ol>
      {hasMore && (
        <Group justify="center" mt="sm">
          <Button variant="subtle" size="sm" loading={isBusy} onClick={onMore}>
            {messages.showMore}
          </Button>
        </Group>
      )}
    </>
  )
}

interface EntryProps extends TimelineProps {
  version: VersionPartsFragment
}

function Entry({ version, newest, pair, labelOf, onCompare, onRestore }: EntryProps) {
  const { number, at, author, restored, changes, via } = version
  // The first version set everything that it has.
  const listed = number === 1 ? [] : changes
  return (
    <li className={classes.entry} data-compared={number === pair.from || number === pair.to || undefined}>
      <Group gap="xs">
        <Text fw={600} fz="sm">
          {messages.environments.version(number)}
        </Text>
        {number === newest && (
          <Badge size="sm" variant="light" tt="none" fw={500}>
            {words.newest}
          </Badge>
        )}
      </Group>
      <Text fz="xs" c="dimmed">
        <Time at={at} /> {via === VIA_FILE ? words.byFile : author && words.by(author.username)}
      </Text>
      {(restored !== null || number === 1) && <Text fz="sm">{toSentence(version.summary)}</Text>}
      {listed.length > 0 && (
        <ul className={classes.changes}>
          {listed.slice(0, MOST_CHANGES).map(({ key, before, after }) => (
            <li key={key} title={key}>
              <span>{labelOf(key)}</span> {describe(key, before)} → {describe(key, after)}
            </li>
          ))}
          {listed.length > MOST_CHANGES && <li>{messages.editor.numOptions(`+ ${listed.length - MOST_CHANGES}`)}</li>}
        </ul>
      )}
      <Group gap={4} mt={2} ml={-8}>
        {number > 1 && (
          <Button size="compact-xs" variant="subtle" onClick={() => onCompare(number - 1, number)}>
            {words.compareWithPrevious}
          </Button>
        )}
        {number < newest && (
          <Button size="compact-xs" variant="subtle" onClick={() => onCompare(number, newest)}>
            {words.compareWithNewest}
          </Button>
        )}
        {number < newest && onRestore && (
          <Button size="compact-xs" variant="subtle" onClick={() => onRestore(number)}>
            {words.restore}
          </Button>
        )}
      </Group>
    </li>
  )
}
