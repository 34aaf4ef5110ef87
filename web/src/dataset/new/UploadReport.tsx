import { Text } from '@mantine/core'
import { formatCount, toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import type { Outcome } from './progress'
import classes from './UploadView.module.css'

const words = messages.uploads

/** What became of uploaded files: how many are there, and which are called otherwise or are not, and why. */
export function UploadReport({ outcome }: { outcome: Outcome }) {
  const { numAdded, numDuplicates, numRenamed, renamed, numSkipped, skipped, refused } = outcome
  return (
    <Panel title={words.report}>
      <div className={classes.report} role="status">
        <Text>{words.added(formatCount(numAdded))}</Text>
        {numAdded + numDuplicates === 0 && <Text fz="sm">{words.nothing}</Text>}
        {numDuplicates > 0 && <Text fz="sm">{words.duplicates(formatCount(numDuplicates))}</Text>}
        <Named
          title={words.refused(formatCount(refused.length))}
          count={refused.length}
          lines={refused.map(({ name, reason }) => `${name}: ${toSentence(reason)}`)}
        />
        <Named
          title={words.skipped(formatCount(numSkipped))}
          count={numSkipped}
          lines={skipped.map(({ name, reason }) => `${name} ${reason}`)}
        />
        <Named
          title={words.renamed(formatCount(numRenamed))}
          count={numRenamed}
          lines={renamed.map(({ name, newName }) => `${name} → ${newName}`)}
        />
      </div>
    </Panel>
  )
}

function Named({ title, count, lines }: { title: string; count: number; lines: readonly string[] }) {
  if (count === 0) return null
  const numMore = count - lines.length
  return (
    <div>
      <Text fw={550} fz="sm">
        {title}
      </Text>
      <ul>
        {lines.map((line, place) => (
          <li key={place}>{line}</li>
        ))}
        {numMore > 0 && <li>{words.more(formatCount(numMore))}</li>}
      </ul>
    </div>
  )
}
