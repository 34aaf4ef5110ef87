import { NativeSelect, Slider, Switch, Text } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { formatCount, formatMetric, formatName } from '../app/format'
import { messages } from '../app/messages'
import { Panel } from '../app/Panel'
import { withParameter } from '../app/searchParameters'
import type { RunStatusFragment } from '../graphql/generated/documents'
import { arrangeCharts, isSmoothed, linesOf, valueAt, type Chart, type Line } from './charts'
import { CompareSelect, useOtherSeries } from './comparison'
import { colorOf, MetricChart } from './MetricChart'
import { PhaseList } from './PhaseList'
import type { Series } from './series'
import { hasEnded } from './states'
import classes from './MetricPanel.module.css'

const words = messages.chart

interface MetricPanelProps {
  series: Readonly<Record<string, Series>>
  status: RunStatusFragment
  environmentId: string | undefined
}

/** The metrics of a run; before there are any, what the trainer does to get there. */
export function MetricPanel({ series, status, environmentId }: MetricPanelProps) {
  const charts = arrangeCharts(series)
  const [first] = charts
  if (first)
    return <Metrics series={series} charts={charts} first={first} runId={status.id} environmentId={environmentId} />
  return (
    <Panel title={hasEnded(status.state) ? words.title : messages.phases.title}>
      <div className={classes.place}>
        {hasEnded(status.state) ? <Text c="dimmed">{words.empty}</Text> : <PhaseList status={status} />}
      </div>
    </Panel>
  )
}

interface MetricsProps {
  series: MetricPanelProps['series']
  charts: Chart[]
  first: Chart
  runId: string
  environmentId: string | undefined
}

function Metrics({ series, charts, first, runId, environmentId }: MetricsProps) {
  const [search, setSearch] = useSearchParams()
  const [smoothing, setSmoothing] = useLocalStorage({
    key: 'smoothing',
    defaultValue: 0.9,
    getInitialValueInEffect: false,
  })
  const [isLog, setIsLog] = useState(false)
  const [hovered, setHovered] = useState<number | null>(null)
  const otherId = search.get('with')
  const other = useOtherSeries(otherId)
  const chart = charts.find(({ key }) => key === search.get('metric')) ?? first
  const lines = linesOf(chart, series, other, smoothing)
  const newest = Math.max(...lines.filter(({ isOther }) => !isOther).map(({ steps }) => steps.at(-1) ?? 0))
  const title = formatName(chart.key, words.charts)

  function set(key: string, value: string | null) {
    setSearch((before) => withParameter(before, key, value), { replace: true })
  }

  return (
    <Panel
      title={words.title}
      aside={
        <>
          <NativeSelect
            size="xs"
            w={190}
            aria-label={words.metric}
            data={charts.map(({ key }) => ({ value: key, label: formatName(key, words.charts) }))}
            value={chart.key}
            onChange={(event) => {
              const { value } = event.currentTarget
              set('metric', value === first.key ? null : value)
            }}
          />
          <div className={classes.slider}>
            <span id="smoothing">{words.smoothing}</span>
            <Slider
              size="sm"
              w={70}
              min={0}
              max={0.99}
              step={0.01}
              value={isSmoothed(chart) ? smoothing : 0}
              disabled={!isSmoothed(chart)}
              onChange={setSmoothing}
              label={(value) => value.toFixed(2)}
              thumbProps={{ 'aria-labelledby': 'smoothing' }}
            />
          </div>
          <Switch
            size="xs"
            label={words.logScale}
            checked={isLog}
            onChange={(event) => setIsLog(event.currentTarget.checked)}
          />
        </>
      }
    >
      <Text className={classes.help ?? ''}>{words.help[chart.key] ?? ''}</Text>
      <Readout lines={lines} step={hovered ?? newest} unit={words.unitsOf[chart.key] ?? ''} />
      <MetricChart
        key={`${chart.key} ${isLog}`}
        label={words.label(title)}
        lines={lines}
        isLog={isLog}
        onHover={setHovered}
      />
      <CompareSelect
        runId={runId}
        environmentId={environmentId}
        chosen={otherId}
        onChoose={(chosen) => set('with', chosen)}
      />
    </Panel>
  )
}

/** The numbers under the pointer, or the newest ones. */
function Readout({ lines, step, unit }: { lines: readonly Line[]; step: number; unit: string }) {
  return (
    <div className={classes.readout}>
      <span>
        {words.step} <b>{formatCount(step)}</b>
      </span>
      {lines.map((line, index) => (
        <span key={`${line.label} ${line.isOther}`}>
          <i style={{ background: `var(${colorOf(lines, index)})` }} data-dashed={line.isOther || undefined} />
          {line.isOther ? words.ofOther(line.label) : line.raw === null ? line.label : words.smoothed}{' '}
          <b>{formatMetric(valueAt(line, line.values, step))}</b>
          {unit}
        </span>
      ))}
      {lines.map(
        (line) =>
          line.raw !== null && (
            <span key={line.label}>
              <i className={classes.faint} />
              {words.raw} <b>{formatMetric(valueAt(line, line.raw, step))}</b>
              {unit}
            </span>
          ),
      )}
    </div>
  )
}
