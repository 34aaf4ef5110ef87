import { MultiSelect, Switch, TagsInput, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { formatName } from '../app/format'
import { messages } from '../app/messages'
import { fieldKind, formatMapping, parseMapping, toTexts, type ProviderField } from './providerFields'

const words = messages.providers

interface ProviderInputProps {
  field: ProviderField
  value: unknown
  levels: readonly string[]
  error: string | undefined
  onChange: (value: unknown) => void
}

/** A field of a provider as the service describes it. */
export function ProviderInput({ field, value, levels, error, onChange }: ProviderInputProps) {
  const common = { label: formatName(field.name, words.fields), description: field.help, error }
  switch (fieldKind(field)) {
    case 'switch':
      return <Switch {...common} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />
    case 'levels':
      return <MultiSelect {...common} data={levels} value={toTexts(value)} onChange={onChange} searchable />
    case 'texts':
      return <TagsInput {...common} value={toTexts(value)} onChange={onChange} acceptValueOnBlur />
    case 'mapping':
      return <MappingInput {...common} value={value} onChange={onChange} />
    case 'text':
      return (
        <TextInput
          {...common}
          autoComplete="off"
          value={typeof value === 'string' ? value : ''}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      )
  }
}

interface MappingInputProps {
  label: string
  description: string
  error: string | undefined
  value: unknown
  onChange: (value: unknown) => void
}

/** Text while it is typed, whatever half of a line means. */
function MappingInput({ value, onChange, ...common }: MappingInputProps) {
  const [text, setText] = useState(() => formatMapping(value))
  return (
    <Textarea
      {...common}
      placeholder={words.mappingExample}
      autosize
      minRows={2}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        onChange(parseMapping(event.currentTarget.value))
      }}
    />
  )
}
