export interface ConfigRow {
  key: string
  value: string
}

/** A configuration as sorted rows of option and value; only those with the text in either, if one is given. */
export function toConfigRows(config: unknown, filter = ''): ConfigRow[] {
  if (typeof config !== 'object' || config === null) return []
  const wanted = filter.trim().toLowerCase()
  return Object.entries(config)
    .map(([key, value]) => ({ key, value: formatValue(value) }))
    .filter(({ key, value }) => `${key} ${value}`.toLowerCase().includes(wanted))
    .sort((one, other) => one.key.localeCompare(other.key))
}

/** Text as it is, everything else as JSON. */
export function formatValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 1).replaceAll(/\s+/g, ' ')
}
