import type { Item } from './uploadQueue'

export interface Progress {
  numFiles: number
  numEnded: number
  sentBytes: number
  totalBytes: number
  /** 0 to 1; an archive is half done when it is sent. */
  share: number
  isDone: boolean
}

export function progressOf(items: readonly Item[]): Progress {
  const totalBytes = sum(items, ({ picked }) => picked.file.size)
  const numEnded = items.filter(hasEnded).length
  // Each file counts a little beyond its bytes, so that many small ones move the bar as well.
  const weight = (item: Item) => item.picked.file.size + 10_000
  const share = sum(items, (item) => weight(item) * shareOf(item)) / Math.max(1, sum(items, weight))
  return {
    numFiles: items.length,
    numEnded,
    sentBytes: sum(items, ({ sentBytes }) => sentBytes),
    totalBytes,
    share: numEnded === items.length ? 1 : share,
    isDone: numEnded === items.length,
  }
}

export function hasEnded({ state }: Pick<Item, 'state'>): boolean {
  return state === 'done' || state === 'refused'
}

export function shareOf(item: Item): number {
  if (hasEnded(item)) return 1
  const sent = item.picked.file.size === 0 ? 0 : item.sentBytes / item.picked.file.size
  return item.state === 'unpacking' ? 0.5 + item.unpacked / 2 : sent * 0.99
}

/** Everything that became of the files, put together. */
export interface Outcome {
  numAdded: number
  numDuplicates: number
  numRenamed: number
  renamed: { name: string; newName: string }[]
  numSkipped: number
  skipped: { name: string; reason: string }[]
  refused: { name: string; reason: string }[]
}

export function outcomeOf(items: readonly Item[]): Outcome {
  const reports = items.flatMap(({ report }) => report ?? [])
  return {
    numAdded: sum(reports, ({ numAdded }) => numAdded),
    numDuplicates: sum(reports, ({ numDuplicates }) => numDuplicates),
    numRenamed: sum(reports, ({ numRenamed }) => numRenamed),
    renamed: reports.flatMap(({ renamed }) => renamed),
    numSkipped: sum(reports, ({ numSkipped }) => numSkipped),
    skipped: reports.flatMap(({ skipped }) => skipped),
    refused: items.flatMap(({ state, picked, problem }) =>
      state === 'refused' ? [{ name: picked.file.name, reason: problem ?? '' }] : [],
    ),
  }
}

/** Nothing happened that somebody has to be told of. */
export function isPlain({ numAdded, numRenamed, numSkipped, refused }: Outcome): boolean {
  return numAdded > 0 && numRenamed + numSkipped + refused.length === 0
}

function sum<Entry>(list: readonly Entry[], value: (entry: Entry) => number): number {
  return list.reduce((total, entry) => total + value(entry), 0)
}
