import type { ImportEnvironmentsInput, ImportEnvironmentsMutation } from '../../graphql/generated/documents'

export type ImportResult = ImportEnvironmentsMutation['importEnvironments']['results'][number]

export interface GivenFile {
  name: string
  content: string
}

/** What somebody gave to be imported: what they pasted, files, or a place on the machine of the service. */
export interface Given {
  way: 'paste' | 'files' | 'path'
  text: string
  files: readonly GivenFile[]
  path: string
  /** Of which tool; empty: told by the content. */
  format: string
}

/** The name of text without one; its content tells the format. */
export const PASTED = 'pasted'

export const NOTHING_GIVEN: Given = { way: 'paste', text: '', files: [], path: '', format: '' }

/** The part of the mutation's input that says what to read; null while there is nothing. */
export function toInput({ way, text, files, path, format }: Given): Omit<ImportEnvironmentsInput, 'dryRun'> | null {
  const common = { format: format === '' ? null : format }
  if (way === 'path') return path.trim() === '' ? null : { ...common, path: path.trim() }
  if (way === 'files') return files.length === 0 ? null : { ...common, files: [...files] }
  return text.trim() === '' ? null : { ...common, files: [{ name: PASTED, content: text }] }
}

/** Files added to those that are there; one of the same name takes its place. */
export function withFiles(files: readonly GivenFile[], added: readonly GivenFile[]): GivenFile[] {
  return [...files.filter(({ name }) => !added.some((other) => other.name === name)), ...added]
}

/** What would still be made. */
export function isReady({ status }: ImportResult): boolean {
  return status === 'READY'
}

/** Keys of the file that were taken over, and what the tool that wrote it takes for granted. */
export function splitMapped(mapped: ImportResult['mapped']): Record<'fromFile' | 'defaults', ImportResult['mapped']> {
  return { fromFile: mapped.filter(({ key }) => key !== null), defaults: mapped.filter(({ key }) => key === null) }
}

/** The name to be asked for, if one counts: a single environment can be called otherwise, several keep their own. */
export function nameToEdit(results: readonly ImportResult[]): string | null {
  const environments = results.filter((each) => isReady(each) && makesEnvironment(each))
  return environments.length === 1 ? (environments[0]?.name ?? null) : null
}

/** A file may describe datasets only. */
export function makesEnvironment({ config }: ImportResult): boolean {
  return typeof config === 'object' && config !== null && Object.keys(config).length > 0
}
