/** How many stand in the first row, by where each begins from above. */
export function columnsOf(tops: readonly number[]): number {
  const below = tops.findIndex((top) => top !== tops[0])
  return Math.max(1, below === -1 ? tops.length : below)
}

/** Where a key leads from a place in a grid; null for nowhere. */
export function neighbourOf(
  place: number,
  key: string,
  { count, columns }: { count: number; columns: number },
): number | null {
  const moves: Record<string, number> = {
    ArrowLeft: place - 1,
    ArrowRight: place + 1,
    ArrowUp: place - columns,
    ArrowDown: place + columns,
    Home: 0,
    End: count - 1,
  }
  const next = moves[key]
  return next === undefined || next < 0 || next >= count ? null : next
}
