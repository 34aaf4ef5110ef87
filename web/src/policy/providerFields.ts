export interface ProviderField {
  name: string
  help: string
  required: boolean
  default: unknown
}

export type FieldKind = 'switch' | 'levels' | 'texts' | 'mapping' | 'text'
export type ProviderConfig = Readonly<Record<string, unknown>>

const OFTEN_SET = ['default_levels', 'level_mapping', 'allowed_domains']

/** How a field is filled in, which its default tells. */
export function fieldKind(field: ProviderField): FieldKind {
  if (field.name === 'default_levels') return 'levels'
  if (typeof field.default === 'boolean') return 'switch'
  if (Array.isArray(field.default)) return 'texts'
  return typeof field.default === 'object' && field.default !== null ? 'mapping' : 'text'
}

/** What must be filled in, with what mostly is, apart from the rest. */
export function splitFields(fields: readonly ProviderField[]): { first: ProviderField[]; more: ProviderField[] } {
  const isFirst = ({ name, required }: ProviderField) => required || OFTEN_SET.includes(name)
  return {
    first: [...fields].filter(isFirst).sort((one, other) => Number(other.required) - Number(one.required)),
    more: fields.filter((field) => !isFirst(field)),
  }
}

/** Groups and their levels, a line each: "staff: researcher, lead". */
export function formatMapping(mapping: unknown): string {
  if (typeof mapping !== 'object' || mapping === null) return ''
  return Object.entries(mapping)
    .map(([group, levels]) => `${group}: ${toTexts(levels).join(', ')}`)
    .join('\n')
}

/** The last colon parts them, since the names of groups in directories may contain some. */
export function parseMapping(text: string): Record<string, string[]> {
  const mapping: Record<string, string[]> = {}
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':')
    const group = (colon < 0 ? line : line.slice(0, colon)).trim()
    const levels = colon < 0 ? [] : line.slice(colon + 1).split(',')
    if (group !== '') mapping[group] = levels.map((level) => level.trim()).filter((level) => level !== '')
  }
  return mapping
}

export function toTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

/** What was touched, as new values and as fields that fall back to their default: an emptied text is not set. */
export function toChange(edit: ProviderConfig, fields: readonly ProviderField[]) {
  const set: Record<string, unknown> = {}
  const unset: string[] = []
  for (const [name, value] of Object.entries(edit)) {
    const field = fields.find((each) => each.name === name)
    if (value === '' && field?.required === false) unset.push(name)
    else set[name] = value
  }
  return { set, unset }
}
