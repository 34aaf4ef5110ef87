import { VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'
import { messages } from './messages'
import classes from './DataTable.module.css'

interface DataTableProps {
  headings: readonly string[]
  /** The last cell of each row holds buttons; its heading is only for those who listen. */
  hasActions?: boolean
  label: string
  children: ReactNode
}

/** A table that becomes a list of cards on a narrow screen, where each cell brings its data-label along. */
export function DataTable({ headings, hasActions = false, label, children }: DataTableProps) {
  return (
    <table className={classes.table} aria-label={label}>
      <thead>
        <tr>
          {headings.map((heading) => (
            <th key={heading} scope="col">
              {heading}
            </th>
          ))}
          {hasActions && (
            <th scope="col">
              <VisuallyHidden>{messages.actions}</VisuallyHidden>
            </th>
          )}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  )
}
