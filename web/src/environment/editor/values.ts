import { messages } from '../../app/messages'
import type { ConfigOption } from './options'

const words = messages.editor.problems
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const FROM_OUTSIDE = /^\{env:\w+\}$/

/** What was typed into a field: a value, or why it is none. Without a value the option is left to its default. */
export interface Entry {
  value?: unknown
  /** As typed, where that says more than the value: 1.0e-4. */
  text?: string
  problem?: string
}

type Typed = Pick<
  ConfigOption,
  'type' | 'default' | 'choices' | 'minimum' | 'maximum' | 'exclusiveMinimum' | 'exclusiveMaximum'
>

/** The value as one would type it. */
export function toText(type: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number') return formatNumber(value)
  return type === 'json' ? JSON.stringify(value, null, 2) : JSON.stringify(value)
}

/** What was typed, as the option's type wants it. */
export function fromText(option: Typed, text: string): Entry {
  switch (option.type) {
    case 'integer':
    case 'number':
      return text.trim() === '' ? {} : { text, ...readNumber(option, text.trim()) }
    case 'json':
      return text.trim() === '' ? {} : { text, ...readJson(text) }
    case 'choice':
      return text === '' ? {} : { value: toChoice(option, text) }
    default:
      // Where nothing is the default, an empty field says nothing; elsewhere it says "empty".
      return text === '' && (option.default === null || option.default === '') ? {} : { value: text }
  }
}

function readNumber(option: Typed, text: string): Entry {
  if (FROM_OUTSIDE.test(text)) return { value: text }
  const value = parseNumber(text)
  if (value === null) return { problem: words.number }
  if (option.type === 'integer' && !Number.isSafeInteger(value)) return { problem: words.integer }
  const problem = outOfBounds(option, value)
  return problem === null ? { value } : { problem }
}

function outOfBounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Typed, value: number): string | null {
  if (minimum !== null && exclusiveMinimum && value <= minimum) return words.exclusiveMinimum(formatNumber(minimum))
  if (maximum !== null && exclusiveMaximum && value >= maximum) return words.exclusiveMaximum(formatNumber(maximum))
  if (minimum !== null && value < minimum) return words.minimum(formatNumber(minimum))
  if (maximum !== null && value > maximum) return words.maximum(formatNumber(maximum))
  return null
}

function readJson(text: string): Entry {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (error) {
    return { problem: words.json(error instanceof Error ? error.message : '') }
  }
}

/** Choices come as text; those of an option with numbers are numbers. */
function toChoice(option: Typed, text: string): unknown {
  return typeof option.default === 'number' ? Number(text) : text
}

/** A finite number in any usual spelling; null for anything else. */
export function parseNumber(text: string): number | null {
  const value = NUMBER.test(text) ? Number(text) : NaN
  return Number.isFinite(value) ? value : null
}

/** Small and very large numbers as powers of ten: 1e-4, not 0.0001. */
export function formatNumber(value: number): string {
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-3 || size >= 1e15) ? value.toExponential() : String(value)
}

/** Equal as JSON; the order of keys does not count. What is not set equals only what is not set. */
export function isSame(one: unknown, other: unknown): boolean {
  return one === other || toCanonical(one) === toCanonical(other)
}

function toCanonical(value: unknown): string {
  return JSON.stringify({ value }, (_, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}

/** Without what every object inherits: a key called constructor is there only if somebody wrote it. */
export function bare<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.assign(Object.create(null) as Record<string, Value>, record)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
