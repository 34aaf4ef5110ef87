/** Two texts as what they begin and end with alike, and what lies between in each. */
export interface SplitChange {
  start: string
  end: string
  removed: string
  added: string
}

export function splitChange(before: string, after: string): SplitChange {
  const one = Array.from(before)
  const other = Array.from(after)
  const shortest = Math.min(one.length, other.length)
  let start = 0
  while (start < shortest && one[start] === other[start]) start += 1
  let end = 0
  while (end < shortest - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1
  return {
    start: one.slice(0, start).join(''),
    end: one.slice(one.length - end).join(''),
    removed: one.slice(start, one.length - end).join(''),
    added: other.slice(start, other.length - end).join(''),
  }
}
