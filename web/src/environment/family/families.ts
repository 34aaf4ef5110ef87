import type { ModelFamiliesQuery } from '../../graphql/generated/documents'
import type { Advice } from '../editor/OptionForm'
import { isSame } from '../editor/values'

/** The options that the API itself speaks of where it tells of families. */
export const FAMILY = 'model_family'
export const FLAVOUR = 'model_flavour'
export const BASE_MODEL = 'pretrained_model_name_or_path'
const PRECISION = 'base_model_precision'

export type Family = ModelFamiliesQuery['modelFamilies'][number]
export type Flavour = Family['flavours'][number]
export type MemoryPreset = Family['memoryPresets'][number]

export interface FamilyGroups {
  trainable: Family[]
  later: Family[]
}

/** Those that can be trained, and those that are only known; by name, as far as they fit what is searched for. */
export function groupFamilies(families: readonly Family[], search = ''): FamilyGroups {
  const wanted = search.trim().toLowerCase()
  const found = families
    .filter(({ key, name, flavours }) =>
      [key, name, ...flavours.map((flavour) => flavour.name)].join(' ').toLowerCase().includes(wanted),
    )
    .sort((one, other) => one.name.localeCompare(other.name))
  return { trainable: found.filter(isTrainable), later: found.filter((family) => !isTrainable(family)) }
}

export function isTrainable({ capabilities }: Pick<Family, 'capabilities'>): boolean {
  return capabilities.length > 0
}

/** The flavour of that key; the default one when none is named. */
export function findFlavour(family: Family, key: unknown): Flavour | undefined {
  return family.flavours.find((flavour) => (typeof key === 'string' ? flavour.key === key : flavour.isDefault))
}

/** The edits that choose a family: a flavour of the one before goes with it. */
export function chooseFamily(family: Family, flavour: unknown): Record<string, unknown> {
  const isKnown = family.flavours.some(({ key }) => key === flavour)
  return { [FAMILY]: family.key, ...(!isKnown && { [FLAVOUR]: undefined }) }
}

/** The usual flavour is no choice: it stays the usual one when another becomes that. */
export function chooseFlavour(flavour: Flavour): Record<string, unknown> {
  return { [FLAVOUR]: flavour.isDefault ? undefined : flavour.key }
}

/** What family and flavour have to say about single options of the form. */
export function adviseOn(family: Family | undefined, flavour: Flavour | undefined, describe: Describe): Advice {
  const notes: Record<string, string> = {}
  const refusedChoices: Record<string, readonly string[]> = {}
  for (const { key, value, reason } of flavour?.settings ?? []) notes[key] = describe.setting(value, reason)
  if (family) {
    notes[PRECISION] = family.quantising.reason
    refusedChoices[PRECISION] = family.quantising.refused
  }
  return { notes, refusedChoices }
}

interface Describe {
  setting: (value: unknown, reason: string) => string
}

/** Every option of the preset has its value already. */
export function isApplied(preset: MemoryPreset, valueOf: (key: string) => unknown): boolean {
  return Object.entries(preset.changes as Record<string, unknown>).every(([key, value]) => isSame(value, valueOf(key)))
}
