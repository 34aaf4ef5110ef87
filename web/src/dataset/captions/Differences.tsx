import { Text } from '@mantine/core'
import { formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { splitChange } from './splitChange'
import classes from './Differences.module.css'

const words = messages.bulk

interface Difference {
  path: string
  before: string | null
  after: string | null
}

interface DifferencesProps {
  differences: readonly Difference[]
  /** How many there are, with those that are not listed. */
  numAll: number
}

/** Captions before and after, with what differs marked. */
export function Differences({ differences, numAll }: DifferencesProps) {
  const numMore = numAll - differences.length
  return (
    <>
      <ul className={classes.list}>
        {differences.map(({ path, before, after }) => {
          const split = splitChange(before ?? '', after ?? '')
          return (
            <li key={path}>
              <div className={classes.path}>{path}</div>
              <div className={classes.text} aria-label={words.before}>
                {before === null ? <i>{words.noFile}</i> : <Marked {...split} part={split.removed} Tag="del" />}
              </div>
              <div className={classes.text} aria-label={words.after}>
                {after === null ? <i>{words.noFile}</i> : <Marked {...split} part={split.added} Tag="ins" />}
              </div>
            </li>
          )
        })}
      </ul>
      {numMore > 0 && (
        <Text fz="xs" c="dimmed" mt="xs">
          {words.more(formatCount(numMore))}
        </Text>
      )}
    </>
  )
}

interface MarkedProps {
  start: string
  end: string
  part: string
  Tag: 'del' | 'ins'
}

function Marked({ start, end, part, Tag }: MarkedProps) {
  return (
    <>
      {start}
      {part !== '' && <Tag>{part}</Tag>}
      {end}
    </>
  )
}
