import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatCount, formatMetric } from '../app/format'
import { messages } from '../app/messages'
import classes from './MetricChart.module.css'

// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- a const enum of a declaration has no value
const LOGARITHMIC = 3 as uPlot.Scale.Distr.Logarithmic

/** Distances between ticks: steps are whole numbers. */
const WHOLE_STEPS = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()

/** Three columns of equal length. */
export interface ChartPoints {
  steps: readonly number[]
  values: readonly (number | null)[]
  smoothed: readonly (number | null)[]
}

interface MetricChartProps {
  label: string
  points: ChartPoints
  isLog: boolean
  /** The index of the points under the pointer, null when it leaves. */
  onHover: (index: number | null) => void
}

/** One metric by step: the values faint, their average strong. A zoom that the user made is kept while points come. */
export function MetricChart({ label, points, isLog, onHover }: MetricChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const isZoomed = useRef(false)
  const newest = useRef(points)
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })

  useEffect(() => {
    const element = box.current
    if (!element) return
    const hooks: uPlot.Hooks.Arrays = {
      setCursor: [(drawn) => onHover(drawn.cursor.idx ?? null)],
      setSelect: [(drawn) => (isZoomed.current = isZoomed.current || drawn.select.width > 0)],
    }
    const drawn = new uPlot(describe(element, isLog, hooks), toColumns(newest.current), element)
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
  }, [isLog, scheme, onHover])

  useEffect(() => {
    newest.current = points
    const drawn = chart.current
    if (!drawn) return
    drawn.setData(toColumns(points), !isZoomed.current)
    if (isZoomed.current) drawn.redraw(true, false)
  }, [points])

  return <div ref={box} className={classes.chart} role="img" aria-label={label} title={messages.chart.zoomHint} />
}

function toColumns({ steps, values, smoothed }: ChartPoints): uPlot.AlignedData {
  return [[...steps], [...values], [...smoothed]]
}

function describe(element: HTMLElement, isLog: boolean, hooks: uPlot.Hooks.Arrays): uPlot.Options {
  const style = getComputedStyle(element)
  const color = (name: string) => style.getPropertyValue(name)
  const axis = {
    stroke: color('--ink-soft'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
  }
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
      { stroke: color('--accent-faint'), width: 1, points: { show: isSingle } },
      { stroke: color('--accent'), width: 2, points: { show: isSingle } },
    ],
  }
}

/** A single point makes no line, so it is shown as a dot. */
function isSingle(chart: uPlot): boolean {
  return chart.data[0].length === 1
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
