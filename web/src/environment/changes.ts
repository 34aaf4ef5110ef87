import { messages } from '../app/messages'
import { formatValue } from './configRows'
import { DATASETS } from './editor/edits'
import { formatNumber } from './editor/values'

const words = messages.environments

/** A value before or after a change. Datasets are counted: whoever reads of a change may not be allowed to see each. */
export function describe(key: string, value: unknown): string {
  if (value === null || value === undefined) return words.notSet
  if (key === DATASETS && Array.isArray(value)) return words.numDatasets(value.length)
  if (value === '') return words.emptyText
  return typeof value === 'number' ? formatNumber(value) : formatValue(value)
}
