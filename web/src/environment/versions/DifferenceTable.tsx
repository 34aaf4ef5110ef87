import { messages } from '../../app/messages'
import { describe } from '../changes'
import type { Pair } from './pair'
import classes from './DifferenceTable.module.css'

const words = messages.versions

interface DifferenceTableProps {
  changes: readonly { key: string; before?: unknown; after?: unknown }[]
  pair: Pair
  labelOf: (key: string) => string
}

/** Each option that differs, with its value in both versions. */
export function DifferenceTable({ changes, pair, labelOf }: DifferenceTableProps) {
  return (
    <table className={classes.table} aria-label={words.compare}>
      <thead>
        <tr>
          <th scope="col">{words.option}</th>
          <th scope="col">{words.before(pair.from)}</th>
          <th scope="col">{words.before(pair.to)}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ key, before, after }) => (
          <tr key={key}>
            <th scope="row">
              {labelOf(key)}
              <code>{key}</code>
            </th>
            <td data-unset={isUnset(before) || undefined}>{describe(key, before)}</td>
            <td data-unset={isUnset(after) || undefined} data-new>
              {describe(key, after)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function isUnset(value: unknown): boolean {
  return value === null || value === undefined
}
