import { Select, Switch, Textarea, TextInput } from '@mantine/core'
import { messages } from '../../app/messages'
import type { ConfigOption } from './options'
import { NamedTexts } from './NamedTexts'
import { Starters } from './Starters'
import { fromText, toText, type Entry } from './values'

const words = messages.editor
const MANY_CHOICES = 8

export interface OptionInputProps {
  option: ConfigOption
  id: string
  describedBy: string
  /** What is chosen here; undefined when the default counts. */
  value: unknown
  /** What was typed, where that is more than the value. */
  text: string | undefined
  /** What counts where nothing is chosen. */
  fallback: unknown
  problem: string | undefined
  isReadOnly: boolean
  /** Choices that never work, with the reason in a note beside. */
  refusedChoices: readonly string[]
  onEdit: (entry: Entry) => void
  onFinish: () => void
}

/** The field of an option, by its type alone. */
export function OptionInput(props: OptionInputProps) {
  const { option, id, describedBy, value, text, fallback, problem, isReadOnly, onEdit, onFinish } = props
  if (option.type === 'boolean') return <BooleanInput {...props} />
  if (option.type === 'choice') return <ChoiceInput {...props} />
  // Text in its place names the file that holds them.
  if (option.type === 'named_texts' && typeof value !== 'string') return <NamedTexts {...props} />
  const field = {
    id,
    'aria-describedby': describedBy,
    value: text ?? toText(option.type, value),
    placeholder: toText(option.type, fallback) || words.empty,
    error: problem,
    disabled: isReadOnly,
    spellCheck: option.type === 'long_text',
    autoComplete: 'off',
    onBlur: onFinish,
  }
  const read = (typed: string) => onEdit(fromText(option, typed))
  const monospace = { input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.82rem' } }
  if (option.type === 'long_text' || option.type === 'json')
    return (
      <>
        <Textarea
          {...field}
          autosize
          minRows={2}
          maxRows={14}
          {...(option.type === 'json' && { styles: monospace })}
          onChange={(event) => read(event.currentTarget.value)}
        />
        {option.starters.length > 0 && !isReadOnly && (
          <Starters starters={option.starters} onChoose={(chosen) => onEdit({ value: chosen })} />
        )}
      </>
    )
  const isNumber = option.type === 'integer' || option.type === 'number'
  return (
    <TextInput
      {...field}
      {...(isNumber && { inputMode: 'decimal' as const })}
      {...(option.type === 'path' && { styles: monospace })}
      onChange={(event) => read(event.currentTarget.value)}
    />
  )
}

function BooleanInput({ id, describedBy, value, fallback, problem, isReadOnly, onEdit }: OptionInputProps) {
  const isOn = (value ?? fallback) === true
  return (
    <Switch
      id={id}
      aria-describedby={describedBy}
      checked={isOn}
      label={isOn ? words.on : words.off}
      error={problem}
      disabled={isReadOnly}
      onChange={(event) => onEdit({ value: event.currentTarget.checked })}
    />
  )
}

function ChoiceInput(props: OptionInputProps) {
  const { option, id, describedBy, value, fallback, problem, isReadOnly, refusedChoices, onEdit } = props
  const labels = new Map(option.choices.map((choice) => [choice.value, choice.label]))
  const chosen = toText(option.type, value)
  const usual = toText(option.type, fallback)
  // A value that is no choice, as files of other tools may have, is shown rather than lost.
  const isForeign = chosen !== '' && !labels.has(chosen)
  const data = [...option.choices, ...(isForeign ? [{ value: chosen, label: chosen }] : [])]
  return (
    <Select
      id={id}
      aria-describedby={describedBy}
      data={data.map((choice) => ({ ...choice, disabled: refusedChoices.includes(choice.value) }))}
      value={chosen === '' ? null : chosen}
      placeholder={(labels.get(usual) ?? usual) || words.noChoice}
      searchable={option.choices.length > MANY_CHOICES}
      nothingFoundMessage={words.noSuchChoice}
      allowDeselect={false}
      error={problem}
      disabled={isReadOnly}
      onChange={(choice) => onEdit(fromText(option, choice ?? ''))}
    />
  )
}
