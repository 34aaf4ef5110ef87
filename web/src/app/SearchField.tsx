import { CloseButton, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useState } from 'react'
import { Search } from './icons'
import { messages } from './messages'

const SEARCH_AFTER_MS = 250

interface SearchFieldProps {
  label: string
  /** What is searched for, as the address says. */
  search: string
  onSearch: (text: string) => void
}

/** What is typed is asked for after a pause, and whoever clears the address clears the field. */
export function SearchField({ label, search, onSearch }: SearchFieldProps) {
  const [typed, setTyped] = useState({ text: search, of: search })
  if (typed.of !== search) setTyped({ text: search === typed.text.trim() ? typed.text : search, of: search })
  const searchSoon = useDebouncedCallback((text: string) => onSearch(text.trim()), SEARCH_AFTER_MS)
  function type(text: string) {
    setTyped({ ...typed, text })
    searchSoon(text)
  }
  return (
    <TextInput
      type="search"
      w={{ base: '100%', xs: 320 }}
      aria-label={label}
      placeholder={label}
      leftSection={<Search />}
      rightSection={typed.text !== '' && <CloseButton aria-label={messages.clearSearch} onClick={() => type('')} />}
      value={typed.text}
      onChange={(event) => type(event.currentTarget.value)}
    />
  )
}
