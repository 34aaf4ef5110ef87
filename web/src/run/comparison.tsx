import { NativeSelect } from '@mantine/core'
import { useMemo } from 'react'
import { useQuery } from 'urql'
import { messages } from '../app/messages'
import { RunMetricsDocument, RunsOfEnvironmentDocument } from '../graphql/generated/documents'
import type { Series } from './series'

const words = messages.chart
const MOST_POINTS = 2_000
const MOST_RUNS = 50

/** The metrics of the run that is compared with, as they were when it was chosen; null while there is none. */
export function useOtherSeries(runId: string | null): Readonly<Record<string, Series>> | null {
  const [{ data }] = useQuery({
    query: RunMetricsDocument,
    variables: { id: runId ?? '', maxPoints: MOST_POINTS },
    pause: runId === null,
  })
  const metrics = runId === null ? undefined : data?.trainingRun?.metrics
  return useMemo(
    () =>
      metrics
        ? Object.fromEntries(metrics.map(({ name, steps, values }): [string, Series] => [name, { steps, values }]))
        : null,
    [metrics],
  )
}

interface CompareSelectProps {
  runId: string
  environmentId: string | undefined
  chosen: string | null
  onChoose: (runId: string | null) => void
}

/** Another run of the same environment, to see its curves behind those of this one. */
export function CompareSelect({ runId, environmentId, chosen, onChoose }: CompareSelectProps) {
  const [{ data }] = useQuery({
    query: RunsOfEnvironmentDocument,
    variables: { first: MOST_RUNS, filter: { environmentId: environmentId ?? null } },
    pause: environmentId === undefined,
  })
  const others = (data?.trainingRuns.edges ?? []).map(({ node }) => node).filter(({ id }) => id !== runId)
  if (others.length === 0 && chosen === null) return null
  return (
    <NativeSelect
      size="xs"
      mt={8}
      w={260}
      maw="100%"
      aria-label={words.compareWith}
      value={chosen ?? ''}
      data={[
        { value: '', label: words.compareNone },
        ...others.map(({ id, name }) => ({ value: id, label: words.comparedWith(name) })),
      ]}
      onChange={(event) => onChoose(event.currentTarget.value || null)}
    />
  )
}
