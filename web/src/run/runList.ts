import type { RunRowFragment } from '../graphql/generated/documents'

type Rows = readonly RunRowFragment[]
type RowsById = ReadonlyMap<string, RunRowFragment>

/** The listed runs with what has changed since they were listed. */
export interface RunList {
  listed: Rows
  changed: RowsById
  /** The part of `changed` that came after the list was asked for anew, so that the answer may lack it. */
  changedSinceAsked: RowsById
}

export const EMPTY_LIST: RunList = { listed: [], changed: new Map(), changedSinceAsked: new Map() }

/** The list is being asked for anew. */
export function ask(list: RunList): RunList {
  return { ...list, changedSinceAsked: new Map() }
}

/** A run has changed, or is new. */
export function change(list: RunList, run: RunRowFragment): RunList {
  return {
    ...list,
    changed: new Map(list.changed).set(run.id, run),
    changedSinceAsked: new Map(list.changedSinceAsked).set(run.id, run),
  }
}

/** The answer: it is newer than every change from before the question. */
export function answer(list: RunList, listed: Rows): RunList {
  return { ...list, listed, changed: list.changedSinceAsked }
}

/** Newest request first; runs that were not listed come along. */
export function toRows(list: RunList, older: Rows = []): RunRowFragment[] {
  const rows = new Map([...older, ...list.listed].map((run) => [run.id, run]))
  for (const run of list.changed.values()) rows.set(run.id, run)
  return [...rows.values()].sort((one, other) => Date.parse(other.requestedAt) - Date.parse(one.requestedAt))
}
