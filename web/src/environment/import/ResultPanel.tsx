import { Badge, List, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { routes } from '../../app/routes'
import { formatValue } from '../configRows'
import { ConfigTable } from '../ConfigTable'
import { makesEnvironment, splitMapped, type ImportResult } from './given'
import classes from './ResultPanel.module.css'

const words = messages.importing
const CONFIG_HEIGHT_PX = 260
const COLORS: Record<ImportResult['status'], string> = {
  READY: 'brand',
  CREATED: 'teal',
  KNOWN: 'gray',
  REFUSED: 'red',
  UNREADABLE: 'red',
}

/** What one file comes to: what was taken over, what was not and why. */
export function ResultPanel({ result }: { result: ImportResult }) {
  const { source, format, status, name, environment, config, dropped, unmapped, problems } = result
  const { fromFile, defaults } = splitMapped(result.mapped)
  const datasets = toDatasets(result)
  return (
    <Panel
      title={name === '' ? source : name}
      aside={
        <Badge color={COLORS[status]} variant="light" tt="none" fw={600}>
          {words.statuses[status]}
        </Badge>
      }
      isFlush
    >
      <Text px="md" pb="sm" fz="sm" c="dimmed">
        <code>{source}</code>
        {format !== null && ` · ${words.formats[format] ?? format}`}
        {environment && (
          <>
            {' · '}
            <Link href={routes.environment(environment.id)}>{environment.name}</Link>
          </>
        )}
      </Text>
      {problems.length > 0 && (
        <List
          pl="xl"
          pr="md"
          pb="sm"
          fz="sm"
          c={status === 'READY' || status === 'CREATED' ? 'var(--warn)' : 'var(--bad)'}
        >
          {problems.map((problem) => (
            <List.Item key={problem}>{toSentence(problem)}</List.Item>
          ))}
        </List>
      )}
      <Keys title={words.unmapped} hint={words.unmappedHint} isOpen count={unmapped.length}>
        {unmapped.map(({ key, value, reason }, index) => (
          <Row key={`${key} ${index}`} name={key} value={value}>
            {toSentence(reason)}
          </Row>
        ))}
      </Keys>
      <Keys title={words.datasets} count={datasets.length} isOpen>
        {datasets.map(({ id, ...rest }, index) => (
          <Row key={`${id} ${index}`} name={id} value={rest} />
        ))}
      </Keys>
      <Keys title={words.mapped} count={fromFile.length}>
        {fromFile.map(({ key, target, value, note }, index) => (
          <Row key={`${key ?? ''} ${index}`} name={key === target ? target : `${key ?? ''} → ${target}`} value={value}>
            {note !== '' && toSentence(note)}
          </Row>
        ))}
      </Keys>
      <Keys title={words.defaults} hint={words.defaultsHint} count={defaults.length}>
        {defaults.map(({ target, value, note }, index) => (
          <Row key={`${target} ${index}`} name={target} value={value}>
            {note !== '' && toSentence(note)}
          </Row>
        ))}
      </Keys>
      <Keys title={words.dropped} count={dropped.length}>
        {dropped.map(({ key, reason }, index) => (
          <Row key={`${key} ${index}`} name={key}>
            {toSentence(reason)}
          </Row>
        ))}
      </Keys>
      {makesEnvironment(result) && (
        <details className={classes.keys}>
          <summary>{messages.config.title}</summary>
          <ConfigTable config={config} heightPx={CONFIG_HEIGHT_PX} />
        </details>
      )}
    </Panel>
  )
}

function toDatasets({ datasetConfigs }: ImportResult): { id: string }[] {
  if (!Array.isArray(datasetConfigs)) return []
  return (datasetConfigs as Record<string, unknown>[]).map(({ id, ...rest }) => ({
    ...rest,
    id: typeof id === 'string' ? id : '',
  }))
}

interface KeysProps {
  title: string
  hint?: string
  count: number
  isOpen?: boolean
  children: ReactNode
}

function Keys({ title, hint, count, isOpen = false, children }: KeysProps) {
  if (count === 0) return null
  return (
    <details className={classes.keys} open={isOpen}>
      <summary>{words.counted(title, count)}</summary>
      {hint !== undefined && (
        <Text px="md" pb={4} fz="xs" c="dimmed">
          {hint}
        </Text>
      )}
      <ul>{children}</ul>
    </details>
  )
}

function Row({ name, value, children }: { name: string; value?: unknown; children?: ReactNode }) {
  return (
    <li>
      <code>{name}</code>
      {value !== undefined && <code className={classes.value}>{formatValue(value)}</code>}
      {children && <p>{children}</p>}
    </li>
  )
}
