import { messages } from '../../app/messages'
import { isRecord, type Entry } from './values'

const words = messages.editor.namedTexts

export interface NamedText {
  name: string
  text: string
}

/** The rows to show: as they are being typed, or as the value has them. */
export function toRows(value: unknown, typed: string | undefined): NamedText[] {
  if (typed !== undefined) return JSON.parse(typed) as NamedText[]
  return isRecord(value) ? Object.entries(value).map(([name, text]) => ({ name, text: String(text) })) : []
}

/** What the rows say; a row without a text says nothing yet. */
export function fromRows(rows: readonly NamedText[]): Entry {
  if (rows.length === 0) return {}
  const said = rows.filter(({ text }) => text.trim() !== '')
  const names = said.map(({ name }) => name.trim())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  const typed = { text: JSON.stringify(rows) }
  if (names.includes('')) return { ...typed, problem: words.nameless }
  if (twice !== undefined) return { ...typed, problem: words.twice(twice) }
  if (said.length === 0) return typed
  return { ...typed, value: Object.fromEntries(said.map(({ text }, index) => [names[index] ?? '', text])) }
}

/** Another row, under a name that is free. */
export function newRow(rows: readonly NamedText[]): NamedText {
  const names = new Set(rows.map(({ name }) => name.trim()))
  let number = rows.length + 1
  while (names.has(words.newName(number))) number += 1
  return { name: words.newName(number), text: '' }
}
