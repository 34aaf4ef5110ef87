import { bare, formatNumber, isRecord, isSame, type Entry } from './values'

/** What the datasets of an environment are called among its options; the value is the list of their ids. */
export const DATASETS = 'datasets'

/** base: what the option was when somebody began to change it; without one it was not set. */
export interface Edit extends Entry {
  base?: unknown
}

/** What was changed and not saved, by option. */
export type Edits = Readonly<Record<string, Edit>>
export type Config = Readonly<Record<string, unknown>>

/** What updateEnvironment takes. */
export interface Changes {
  set: Record<string, unknown>
  unset: string[]
  datasetIds: string[] | null
}

/** An option gets a value, or none; going back to what it is or was gives the change up. */
export function editOption(edits: Edits, config: Config, key: string, entry: Entry): Edits {
  const base = Object.hasOwn(edits, key) ? edits[key]?.base : config[key]
  const isUndone = !entry.problem && (isSame(entry.value, base) || isSame(entry.value, config[key]))
  if (isUndone && !isUnfinished(entry)) return withoutEdits(edits, [key])
  return { ...edits, [key]: { ...entry, base } }
}

/** "1." and "1.0" are on the way to something, though they are equal to 1. */
function isUnfinished({ text, value }: Entry): boolean {
  return text !== undefined && typeof value === 'number' && text.trim() !== formatNumber(value)
}

/** Several values at once, as from a preset. */
export function editOptions(edits: Edits, config: Config, values: Config): Edits {
  return Object.entries(values).reduce((all, [key, value]) => editOption(all, config, key, { value }), edits)
}

/** The edits that lead from the configuration to another one; the datasets stay as they are. */
export function editsTowards(edits: Edits, config: Config, written: Config): Edits {
  const wanted = bare(written)
  const keys = new Set([...Object.keys(config), ...Object.keys(edits), ...Object.keys(wanted)])
  keys.delete(DATASETS)
  return [...keys].reduce((all, key) => {
    const value = wanted[key]
    return Object.hasOwn(all, key) && isSame(all[key]?.value, value) && !all[key]?.problem
      ? all
      : editOption(all, config, key, value === undefined ? {} : { value })
  }, edits)
}

export function withoutEdits(edits: Edits, keys: readonly string[]): Edits {
  if (!keys.some((key) => Object.hasOwn(edits, key))) return edits
  return Object.fromEntries(Object.entries(edits).filter(([key]) => !keys.includes(key)))
}

/** Without the edits that say what the configuration says by now. */
export function withoutDone(edits: Edits, config: Config): Edits {
  const done = Object.entries(edits).filter(
    ([key, edit]) => !edit.problem && !isUnfinished(edit) && isSame(edit.value, config[key]),
  )
  return withoutEdits(
    edits,
    done.map(([key]) => key),
  )
}

/** The configuration as it would be after saving. What is no value yet leaves the option as it is. */
export function withEdits(config: Config, edits: Edits): Config {
  const valid = Object.entries(edits).filter(([, edit]) => !edit.problem)
  const kept = Object.entries(config).filter(([key]) => !valid.some(([changed]) => changed === key))
  const values = valid.filter(([, { value }]) => value !== undefined).map(([key, { value }]) => [key, value] as const)
  return bare(Object.fromEntries([...kept, ...values]))
}

export function toChanges(edits: Edits): Changes {
  const changes: Changes = { set: {}, unset: [], datasetIds: null }
  for (const [key, { value }] of Object.entries(edits)) {
    if (key === DATASETS) changes.datasetIds = value as string[]
    else if (value === undefined) changes.unset.push(key)
    else changes.set[key] = keepOrder(value)
  }
  return changes
}

/** As text, which the service reads as well: urql sorts the keys of objects, and prompts are drawn in the order they are in. */
function keepOrder(value: unknown): unknown {
  return isRecord(value) ? JSON.stringify(value) : value
}

export function problemsOf(edits: Edits): string[] {
  return Object.keys(edits).filter((key) => edits[key]?.problem !== undefined)
}

/** The options that were changed here and, since then, by somebody else to something else. */
export function contested(edits: Edits, config: Config): string[] {
  return Object.entries(edits)
    .filter(([key, { base }]) => !isSame(base, config[key]))
    .map(([key]) => key)
}

/** One's own values stand, in the knowledge of what the others chose. */
export function keepMine(edits: Edits, config: Config, keys: readonly string[]): Edits {
  return mapEdits(edits, (key, edit) => (keys.includes(key) ? { ...edit, base: config[key] } : edit))
}

/** Values in place of what was typed, where it is one. */
export function finished(edits: Edits): Edits {
  return mapEdits(edits, (_, { text, ...edit }) => (edit.problem && text !== undefined ? { ...edit, text } : edit))
}

function mapEdits(edits: Edits, change: (key: string, edit: Edit) => Edit): Edits {
  return Object.fromEntries(Object.entries(edits).map(([key, edit]) => [key, change(key, edit)]))
}

/** Edits that were kept as JSON; null when it is none of ours. */
export function readEdits(text: string | null): Edits | null {
  try {
    const read = JSON.parse(text ?? '') as unknown
    return isRecord(read) && Object.values(read).every(isRecord) ? (read as Edits) : null
  } catch {
    return null
  }
}
