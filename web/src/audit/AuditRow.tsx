import { Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { toSentence } from '../app/format'
import { messages } from '../app/messages'
import { routes } from '../app/routes'
import { Time } from '../app/Time'
import { formatValue } from '../environment/configRows'
import type { AuditRowFragment } from '../graphql/generated/documents'
import { viaKind } from './filters'
import classes from './AuditRow.module.css'

const words = messages.audit

interface AuditRowProps {
  entry: AuditRowFragment
  onPerson: (id: string) => void
}

/** One thing that somebody did; what it changed unfolds. */
export function AuditRow({ entry, onPerson }: AuditRowProps) {
  const { at, actor, action, summary, changes, subject, via, address } = entry
  return (
    <tr className={classes.row}>
      <td className={classes.at}>
        <Time at={at} />
      </td>
      <td className={classes.who}>
        {actor ? (
          <button
            type="button"
            className={classes.person}
            title={words.onlyBy(actor.username)}
            onClick={() => onPerson(actor.id)}
          >
            {actor.username}
          </button>
        ) : (
          <Text inherit c="dimmed" span>
            {messages.none}
          </Text>
        )}
      </td>
      <td className={classes.what}>
        <Text fz="sm" fw={550} title={action}>
          {toSentence(summary)}
        </Text>
        {changes.length > 0 && (
          <details className={classes.changes}>
            <summary>{words.changes(changes.length)}</summary>
            <ul>
              {changes.map(({ key, before, after }) => (
                <li key={key}>
                  {key}: {before !== null && `${describe(before)} → `}
                  {describe(after)}
                </li>
              ))}
            </ul>
          </details>
        )}
      </td>
      <td className={classes.subject}>
        <Subject {...subject} />
      </td>
      <td title={via} className={classes.via}>
        <span>
          {words.vias[viaKind(via, Object.keys(words.vias))] ?? toSentence(via)}
          {address && (
            <Text span fz="xs" c="dimmed" display="block">
              {address}
            </Text>
          )}
        </span>
      </td>
    </tr>
  )
}

function Subject({ id, kind, name }: AuditRowFragment['subject']): ReactNode {
  const label = words.kinds[kind] ?? kind
  if (kind === 'policy') return label
  if (name === null)
    return (
      <Text inherit c="dimmed" span>
        {label}, {words.gone}
      </Text>
    )
  const links: Record<string, string> = { environment: routes.environment(id), training_run: routes.run(id) }
  const href = links[kind]
  return (
    <span>
      <Text span c="dimmed" inherit>
        {label}
      </Text>{' '}
      {href ? <Link href={href}>{name}</Link> : name}
    </span>
  )
}

function describe(value: unknown): string {
  return value === null || value === undefined ? words.notSet : formatValue(value)
}
