import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatCount, formatMetric } from '../app/format'
import { messages } from '../app/messages'
import type { Line } from './charts'
import classes from './MetricChart.module.css'

// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- a const enum of a declaration has no value
const LOGARITHMIC = 3 as uPlot.Scale.Distr.Logarithmic

/** Distances between ticks: steps are whole numbers. */
const WHOLE_STEPS = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()

export const NUM_COLORS = 4

interface MetricChartProps {
  label: string
  lines: readonly Line[]
  isLog: boolean
  /** The step under the pointer, null when it leaves. */
  onHover: (step: number | null) => void
}

/** Metrics by step; the values behind a smoothed line are faint. A zoom that the user made is kept while points come. */
export function MetricChart({ label, lines, isLog, onHover }: MetricChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const isZoomed = useRef(false)
  const newest = useRef(lines)
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  // What the drawing is made of: other lines need another one, further points do not.
  const shape = lines.map(({ label, isOther, raw }) => `${label} ${isOther} ${raw !== null}`).join('\n')

  useEffect(() => {
    newest.current = lines
  }, [lines])

  useEffect(() => {
    const element = box.current
    if (!element) return
    const hooks: uPlot.Hooks.Arrays = {
      setCursor: [(drawn) => onHover(drawn.cursor.idx == null ? null : (drawn.data[0][drawn.cursor.idx] ?? null))],
      setSelect: [(drawn) => (isZoomed.current = isZoomed.current || drawn.select.width > 0)],
    }
    const drawn = new uPlot(describe(element, newest.current, isLog, hooks), toColumns(newest.current), element)
    const unzoom = () => (isZoomed.current = false)
    drawn.over.addEventListener('dblclick', unzoom)
    const observer = new ResizeObserver(() =>
      drawn.setSize({ width: element.clientWidth, height: element.clientHeight }),
    )
    observer.observe(element)
    chart.current = drawn
    isZoomed.current = false
    return () => {
      observer.disconnect()
      drawn.destroy()
      chart.current = null
    }
  }, [isLog, scheme, onHover, shape])

  useEffect(() => {
    const drawn = chart.current
    if (!drawn) return
    drawn.setData(toColumns(lines), !isZoomed.current)
    if (isZoomed.current) drawn.redraw(true, false)
  }, [lines])

  return <div ref={box} className={classes.chart} role="img" aria-label={label} title={messages.chart.zoomHint} />
}

/** Each line by its own steps; a step that a line has no value at is no gap in it. */
function toColumns(lines: readonly Line[]): uPlot.AlignedData {
  const tables = lines.map(({ steps, values, raw }): uPlot.AlignedData => {
    const columns = raw === null ? [values] : [raw, values]
    return [[...steps], ...columns.map((column) => [...column])]
  })
  return uPlot.join(tables)
}

function describe(
  element: HTMLElement,
  lines: readonly Line[],
  isLog: boolean,
  hooks: uPlot.Hooks.Arrays,
): uPlot.Options {
  const style = getComputedStyle(element)
  const color = (name: string) => style.getPropertyValue(name)
  const axis = {
    stroke: color('--ink-soft'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
  }
  const points = { show: isSingle }
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    hooks,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: isLog ? { distr: LOGARITHMIC } : {} },
    axes: [
      {
        ...axis,
        incrs: WHOLE_STEPS,
        space: 70,
        size: 28,
        values: (_, ticks) => ticks.map((step) => (step % 1 === 0 ? formatCount(step) : '')),
      },
      { ...axis, space: 36, size: 64, values: (_, ticks) => ticks.map((value) => formatTick(value)) },
    ],
    series: [
      {},
      ...lines.flatMap((line, index) => {
        const stroke = color(colorOf(lines, index))
        const faint = { stroke: color('--accent-faint'), width: 1, points }
        const strong = { stroke, width: 2, points, spanGaps: true, ...(line.isOther && { dash: [6, 4] }) }
        return line.raw === null ? [strong] : [faint, strong]
      }),
    ],
  }
}

/** The variable with the colour of a line: the same for a metric of this run and of the one it is compared with, unless there is only one. */
export function colorOf(lines: readonly Line[], index: number): string {
  const own = lines.filter(({ isOther }) => !isOther).length
  const line = lines[index]
  if (own <= 1 && line?.isOther) return '--series-2'
  const twin = line?.isOther ? lines.findIndex(({ label, isOther }) => !isOther && label === line.label) : index
  return `--series-${((twin < 0 ? index : twin) % NUM_COLORS) + 1}`
}

/** A single point makes no line, so it is shown as a dot. */
function isSingle(chart: uPlot, series: number): boolean {
  const values = [...(chart.data[series] ?? [])]
  return values.filter((value) => value != null).length === 1
}

/** A tick of an axis: short, and empty where a logarithmic axis leaves one out. */
function formatTick(value: number | null): string {
  if (value === null) return ''
  return value === 0
    ? '0'
    : formatMetric(value)
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '')
}
