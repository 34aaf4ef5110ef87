import { ActionIcon, Text } from '@mantine/core'
import { memo } from 'react'
import { Resume, Warning } from '../../app/icons'
import { messages } from '../../app/messages'
import { Time } from '../../app/Time'
import type { ConfigOption } from './options'
import { OptionInput } from './OptionInput'
import type { LastChange } from './useDraft'
import { formatNumber, toText, type Entry } from './values'
import classes from './OptionRow.module.css'

const words = messages.editor
const WIDE = ['long_text', 'json', 'path', 'named_texts']

export interface OptionRowProps {
  option: ConfigOption
  value: unknown
  text: string | undefined
  fallback: unknown
  /** Where the fallback comes from, as effectiveConfig names it. */
  source: string
  isChanged: boolean
  isContested: boolean
  problem: string | undefined
  /** What other options would have to be for this one to count. */
  unmet: string | undefined
  /** What the model family has to say about this option. */
  note: string | undefined
  refusedChoices: readonly string[]
  lastChange: LastChange | undefined
  /** Somebody else has just changed it. */
  isNews: boolean
  isReadOnly: boolean
  onEdit: (key: string, entry: Entry) => void
  onFinish: () => void
  onSettle: () => void
}

/** An option with what it is, what it is for, its field, and who set it. Only what changed is drawn anew. */
export const OptionRow = memo(function OptionRow(props: OptionRowProps) {
  const { option, value, text, fallback, source, unmet, note, problem, isReadOnly, onEdit } = props
  const { key, label, help } = option
  const id = inputId(key)
  const isSet = value !== undefined || text !== undefined
  const usual = toText(option.type, fallback).replaceAll(/\s+/g, ' ')
  const reset = words.reset(label, usual === '' ? words.empty : shorten(usual))
  return (
    <div
      id={rowId(key)}
      className={classes.row}
      data-changed={props.isChanged || undefined}
      data-unmet={unmet !== undefined || undefined}
      data-news={props.isNews || undefined}
      data-wrong={problem !== undefined || undefined}
    >
      <div className={classes.about}>
        <label htmlFor={id} className={classes.label}>
          {label}
        </label>
        <div className={classes.key}>
          <code>{key}</code>
          <Range option={option} />
        </div>
        <div id={`${id}-about`} className={classes.help}>
          {help}
          {unmet !== undefined && <p className={classes.unmet}>{unmet}</p>}
          {note !== undefined && <p className={classes.note}>{note}</p>}
        </div>
      </div>
      <div className={classes.value} data-wide={WIDE.includes(option.type) || undefined}>
        <div className={classes.field}>
          <OptionInput
            {...{ option, id, value, text, fallback, problem, isReadOnly }}
            describedBy={`${id}-about`}
            refusedChoices={props.refusedChoices}
            onEdit={(entry) => onEdit(key, entry)}
            onFinish={props.onFinish}
          />
        </div>
        <ActionIcon
          className={classes.reset ?? ''}
          variant="subtle"
          color="gray"
          data-shown={(isSet && !isReadOnly) || undefined}
          disabled={!isSet || isReadOnly}
          aria-label={reset}
          title={reset}
          onClick={() => onEdit(key, {})}
        >
          <Resume size={15} />
        </ActionIcon>
        <Text component="div" className={classes.state ?? ''} fz="xs" c="dimmed">
          {props.isContested ? (
            <button type="button" className={classes.contested} onClick={props.onSettle}>
              <Warning size={13} /> {words.contested}
            </button>
          ) : (
            <State isSet={isSet} isChanged={props.isChanged} source={source} lastChange={props.lastChange} />
          )}
        </Text>
      </div>
    </div>
  )
})

/** The numbers that it may be, and what they count. */
function Range({ option }: { option: ConfigOption }) {
  const said = [describeBounds(option), option.unit].filter((each) => each !== null)
  return said.length === 0 ? null : <span>{said.join(' ')}</span>
}

function describeBounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: ConfigOption): string | null {
  const from = minimum === null ? null : formatNumber(minimum)
  const to = maximum === null ? null : formatNumber(maximum)
  if (from !== null && to !== null && !exclusiveMinimum && !exclusiveMaximum) return words.range(from, to)
  const ends = [
    from === null ? null : exclusiveMinimum ? words.above(from) : words.from(from),
    to === null ? null : exclusiveMaximum ? words.below(to) : words.upTo(to),
  ].filter((each) => each !== null)
  return ends.length === 0 ? null : ends.join(', ')
}

interface StateProps {
  isSet: boolean
  isChanged: boolean
  source: string
  lastChange: LastChange | undefined
}

function State({ isSet, isChanged, source, lastChange }: StateProps) {
  if (isChanged) return <span className={classes.unsaved}>{isSet ? words.unsaved : words.unsavedReset}</span>
  const origin = isSet ? words.setHere : (words.sources[source] ?? source)
  return (
    <>
      <span>{origin}</span>
      {lastChange && (
        <span title={words.versionOf(lastChange.version.number)}>
          {' · '}
          {lastChange.version.author && `${lastChange.version.author.username}, `}
          <Time at={lastChange.version.at} />
        </span>
      )}
    </>
  )
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

export function inputId(key: string): string {
  return `option-${key}`
}

export function rowId(key: string): string {
  return `row-${key}`
}
