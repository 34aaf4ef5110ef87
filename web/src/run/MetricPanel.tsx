import { NativeSelect, Slider, Switch, Text } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { formatMetric, formatCount, formatName } from '../app/format'
import { messages } from '../app/messages'
import { Panel } from '../app/Panel'
import { withParameter } from '../app/searchParameters'
import type { RunStatusFragment } from '../graphql/generated/documents'
import { MetricChart, type ChartPoints } from './MetricChart'
import { PhaseList } from './PhaseList'
import { EMPTY_SERIES, smooth, type Series } from './series'
import { hasEnded } from './states'
import classes from './MetricPanel.module.css'

const words = messages.chart
const DEFAULT_METRIC = 'loss'

interface MetricPanelProps {
  series: Readonly<Record<string, Series>>
  status: RunStatusFragment
}

/** The metrics of a run; before there are any, what the trainer does to get there. */
export function MetricPanel({ series, status }: MetricPanelProps) {
  const names = Object.keys(series)
  const hasPoints = names.some((name) => (series[name]?.steps.length ?? 0) > 0)
  if (hasPoints) return <Metrics series={series} names={names} />
  return (
    <Panel title={hasEnded(status.state) ? words.title : messages.phases.title}>
      <div className={classes.place}>
        {hasEnded(status.state) ? <Text c="dimmed">{words.empty}</Text> : <PhaseList status={status} />}
      </div>
    </Panel>
  )
}

function Metrics({ series, names }: { series: MetricPanelProps['series']; names: string[] }) {
  const [search, setSearch] = useSearchParams()
  const [smoothing, setSmoothing] = useLocalStorage({
    key: 'smoothing',
    defaultValue: 0.9,
    getInitialValueInEffect: false,
  })
  const [isLog, setIsLog] = useState(false)
  const [hovered, setHovered] = useState<number | null>(null)
  const asked = search.get('metric') ?? DEFAULT_METRIC
  const name = names.includes(asked) ? asked : (names[0] ?? DEFAULT_METRIC)
  const { steps, values } = series[name] ?? EMPTY_SERIES
  const points: ChartPoints = { steps, values, smoothed: smooth(values, smoothing) }
  const label = formatName(name, words.names)

  function choose(chosen: string) {
    setSearch((before) => withParameter(before, 'metric', chosen === DEFAULT_METRIC ? null : chosen), { replace: true })
  }

  return (
    <Panel
      title={words.title}
      aside={
        <>
          <NativeSelect
            size="xs"
            w={170}
            aria-label={words.metric}
            data={names.map((value) => ({ value, label: formatName(value, words.names) }))}
            value={name}
            onChange={(event) => choose(event.currentTarget.value)}
          />
          <div className={classes.slider}>
            <span id="smoothing">{words.smoothing}</span>
            <Slider
              size="sm"
              w={90}
              min={0}
              max={0.99}
              step={0.01}
              value={smoothing}
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
      <Readout points={points} at={hovered ?? steps.length - 1} />
      <MetricChart
        key={`${name} ${isLog}`}
        label={words.label(label)}
        points={points}
        isLog={isLog}
        onHover={setHovered}
      />
    </Panel>
  )
}

/** The numbers under the pointer, or the newest ones. */
function Readout({ points, at }: { points: ChartPoints; at: number }) {
  return (
    <div className={classes.readout}>
      <span>
        {words.step} <b>{formatCount(points.steps[at] ?? 0)}</b>
      </span>
      <span className={classes.smoothed}>
        {words.smoothed} <b>{formatMetric(points.smoothed[at])}</b>
      </span>
      <span className={classes.raw}>
        {words.raw} <b>{formatMetric(points.values[at])}</b>
      </span>
    </div>
  )
}
