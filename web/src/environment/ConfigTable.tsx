import { Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { messages } from '../app/messages'
import { toConfigRows } from './configRows'
import classes from './ConfigTable.module.css'

const words = messages.config

interface ConfigTableProps {
  config: unknown
  heightPx: number
}

/** A configuration as rows that can be searched; the height stays as it is while one types. */
export function ConfigTable({ config, heightPx }: ConfigTableProps) {
  const [filter, setFilter] = useState('')
  const rows = toConfigRows(config, filter)
  const isEmpty = toConfigRows(config).length === 0
  if (isEmpty)
    return (
      <Text c="dimmed" px="md" pb="md">
        {words.empty}
      </Text>
    )
  return (
    <>
      <TextInput
        size="xs"
        px="md"
        pb="xs"
        aria-label={words.filter}
        placeholder={words.filter}
        value={filter}
        onChange={(event) => setFilter(event.currentTarget.value)}
      />
      <div className={classes.scroller} style={{ height: heightPx }} tabIndex={0} role="group" aria-label={words.title}>
        <table className={classes.table}>
          <tbody>
            {rows.map(({ key, value }) => (
              <tr key={key}>
                <th scope="row">{key}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length === 0 && (
          <Text c="dimmed" fz="sm" p="md">
            {words.noMatch}
          </Text>
        )}
      </div>
    </>
  )
}
