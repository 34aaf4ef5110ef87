/** The points of one metric: steps ascending without repeats; a value is null where it was not a finite number. */
export interface Series {
  steps: readonly number[]
  values: readonly (number | null)[]
}

export const EMPTY_SERIES: Series = { steps: [], values: [] }

/** Above this many points a series is thinned, so that a page that stays open for days keeps its pace. */
export const MOST_POINTS = 8_000

/** The points up to and with a step; used when a run goes on from an earlier one. */
export function cutAfter(series: Series, step: number): Series {
  const end = countUpTo(series.steps, step)
  if (end === series.steps.length) return series
  return { steps: series.steps.slice(0, end), values: series.values.slice(0, end) }
}

/** Add points behind the newest one; those that are not newer are already there and are left out. */
export function append(series: Series, added: Series): Series {
  const steps = [...series.steps]
  const values = [...series.values]
  let newest = steps.at(-1) ?? -Infinity
  added.steps.forEach((step, index) => {
    if (step <= newest) return
    steps.push(step)
    values.push(toFinite(added.values[index]))
    newest = step
  })
  return thin({ steps, values }, MOST_POINTS)
}

/** Halve the older three quarters when there are too many points, keeping the minimum and maximum of every four. */
export function thin(series: Series, most: number): Series {
  if (series.steps.length <= most) return series
  const recent = Math.floor(series.steps.length * 0.75)
  const kept: number[] = []
  for (let start = 0; start < recent; start += 4)
    kept.push(...extremes(series.values, start, Math.min(start + 4, recent)))
  for (let index = recent; index < series.steps.length; index += 1) kept.push(index)
  return {
    steps: kept.map((index) => series.steps[index] ?? 0),
    values: kept.map((index) => series.values[index] ?? null),
  }
}

/**
 * Exponential moving average with the bias of its start removed (Adam, Kingma & Ba 2015, section 3).
 * weight: 0 (the values themselves) up to but not including 1.
 */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  let average = 0
  let bias = 1
  return values.map((value) => {
    if (value === null) return null
    average = weight * average + (1 - weight) * value
    bias *= weight
    return average / (1 - bias)
  })
}

/** How many of the ascending steps are at most `step`. */
function countUpTo(steps: readonly number[], step: number): number {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((steps[middle] ?? 0) <= step) low = middle + 1
    else high = middle
  }
  return low
}

/** The indices of the smallest and the largest value in a part of a series, in order; one of them when they are one. */
function extremes(values: readonly (number | null)[], start: number, end: number): number[] {
  let lowest = start
  let highest = start
  for (let index = start + 1; index < end; index += 1) {
    if ((values[index] ?? Infinity) < (values[lowest] ?? Infinity)) lowest = index
    if ((values[index] ?? -Infinity) > (values[highest] ?? -Infinity)) highest = index
  }
  if (lowest === highest) return [lowest]
  return lowest < highest ? [lowest, highest] : [highest, lowest]
}

function toFinite(value: number | null | undefined): number | null {
  return value !== null && value !== undefined && Number.isFinite(value) ? value : null
}
