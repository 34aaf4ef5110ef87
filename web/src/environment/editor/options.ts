import type { ConfigOptionsQuery } from '../../graphql/generated/documents'
import { isSame } from './values'

export type ConfigOption = ConfigOptionsQuery['configOptions'][number]

export type ConfigGroup = ConfigOptionsQuery['configGroups'][number]

export interface OptionGroup extends ConfigGroup {
  options: ConfigOption[]
}

/** basic: what most people need; set: what was chosen here. */
export type Extent = 'basic' | 'all' | 'set'

export interface Requirement {
  key: string
  /** Any one of these values will do. */
  wanted: unknown[]
}

/** The groups in their own order, without those that are empty. */
export function groupOptions(groups: readonly ConfigGroup[], options: readonly ConfigOption[]): OptionGroup[] {
  return groups
    .map((group) => ({ ...group, options: options.filter((option) => option.group === group.key) }))
    .filter((group) => group.options.length > 0)
}

/** Every word of the search is somewhere in what the option says of itself. */
export function matches(option: ConfigOption, search: string): boolean {
  const said = `${option.label} ${option.key} ${option.key.replaceAll('_', ' ')} ${option.group} ${option.help}`
  const text = said.toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/** What other options would have to be for this one to count. */
export function unmetRequirements(option: ConfigOption, valueOf: (key: string) => unknown): Requirement[] {
  return Object.entries(option.requires as Record<string, unknown>)
    .map(([key, wanted]) => ({ key, wanted: Array.isArray(wanted) ? (wanted as unknown[]) : [wanted] }))
    .filter(({ key, wanted }) => !wanted.some((each) => isSame(each, valueOf(key))))
}

interface Standing {
  extent: Extent
  search: string
  /** It has a value of its own here, or one that is not saved yet. */
  isChosen: boolean
  /** The service or the form finds something wrong with it. */
  hasProblem: boolean
  /** What it needs of other options is so. */
  isMet: boolean
}

/** Whether the form shows an option. A search finds everything; what was chosen or is wrong is never hidden. */
export function isShown(option: ConfigOption, standing: Standing): boolean {
  const { extent, search, isChosen, hasProblem, isMet } = standing
  if (search !== '') return matches(option, search)
  if (isChosen || hasProblem) return true
  if (extent === 'set') return false
  return isMet && (extent === 'all' || !option.advanced)
}
