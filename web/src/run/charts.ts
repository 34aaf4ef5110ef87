import { formatName } from '../app/format'
import { messages } from '../app/messages'
import { smooth, type Series } from './series'

const words = messages.chart

type SeriesByName = Readonly<Record<string, Series>>

/** What is drawn together. key: its name in the address of the page. names: of the metrics, in the order of their lines. */
export interface Chart {
  key: string
  names: string[]
}

/** One curve. label: what it is called among the curves of its chart. raw: the values behind a smoothed curve. */
export interface Line {
  label: string
  steps: readonly number[]
  values: readonly (number | null)[]
  raw: readonly (number | null)[] | null
  /** The run that is compared with. */
  isOther: boolean
}

/** Metrics that belong in one picture, by the chart's key; each other metric has a chart of its own. */
const TOGETHER: readonly { key: string; has: (name: string) => boolean }[] = [
  { key: 'loss', has: (name) => name === 'loss' },
  { key: 'eval_loss', has: (name) => name === 'eval_loss' || name.startsWith('eval_loss/') },
  { key: 'loss_by_timestep', has: (name) => /^loss\/t\d+-\d+$/.test(name) },
  { key: 'learning_rate', has: (name) => name === 'learning_rate' },
  { key: 'grad_norm', has: (name) => name === 'grad_norm' },
  { key: 'images_per_second', has: (name) => name === 'images_per_second' },
  { key: 'step_time', has: (name) => /^(step|data|forward_backward|optimizer)_seconds$/.test(name) },
  { key: 'memory', has: (name) => name === 'peak_memory_gb' },
]

/** What is no noise: an average would only tell it wrongly. */
const EXACT = ['learning_rate', 'eval_loss', 'memory']

const STEP_PARTS = ['step_seconds', 'data_seconds', 'forward_backward_seconds', 'optimizer_seconds']

/** The charts that there is something for, those that people look at first. */
export function arrangeCharts(series: SeriesByName): Chart[] {
  const names = Object.keys(series).filter((name) => (series[name]?.steps.length ?? 0) > 0)
  const known = TOGETHER.map(({ key, has }) => ({ key, names: names.filter(has).sort(byPlace) }))
  const placed = new Set(known.flatMap((chart) => chart.names))
  const others = names.filter((name) => !placed.has(name)).map((name) => ({ key: name, names: [name] }))
  return [...known, ...others].filter((chart) => chart.names.length > 0)
}

export function isSmoothed({ key }: Chart): boolean {
  return !EXACT.includes(key)
}

/** The curves of a chart, those of another run behind those of this one. smoothing: the weight of `smooth`. */
export function linesOf(chart: Chart, series: SeriesByName, other: SeriesByName | null, smoothing: number): Line[] {
  const weight = isSmoothed(chart) ? smoothing : 0
  return [
    ...drawLines(chart, series, { weight, isOther: false }),
    ...(other === null ? [] : drawLines(chart, other, { weight, isOther: true })),
  ]
}

function drawLines(
  chart: Chart,
  series: SeriesByName,
  { weight, isOther }: { weight: number; isOther: boolean },
): Line[] {
  return chart.names.flatMap((name) => {
    const found = series[name]
    if (!found || found.steps.length === 0) return []
    const hasRaw = weight > 0 && chart.names.length === 1 && !isOther
    return {
      label: labelLine(name),
      steps: found.steps,
      values: weight > 0 ? smooth(found.values, weight) : found.values,
      raw: hasRaw ? found.values : null,
      isOther,
    }
  })
}

/** The value at a step, or the newest one before it; null before the first. */
export function valueAt(line: Pick<Line, 'steps'>, values: readonly (number | null)[], step: number): number | null {
  const index = line.steps.findLastIndex((each) => each <= step)
  return values[index] ?? null
}

function labelLine(name: string): string {
  const timesteps = /^loss\/t(\d+)-(\d+)$/.exec(name)
  if (timesteps) return words.timesteps(timesteps[1] ?? '', timesteps[2] ?? '')
  const dataset = /^eval_loss\/(.+)$/.exec(name)
  return dataset?.[1] ?? formatName(name, words.names)
}

/** Timesteps by their number, the parts of a step as they come, everything else by name. */
function byPlace(one: string, other: string): number {
  const place = (name: string) => Number(/\d+/.exec(name)?.[0] ?? Math.max(0, STEP_PARTS.indexOf(name)))
  return place(one) - place(other) || one.localeCompare(other)
}
