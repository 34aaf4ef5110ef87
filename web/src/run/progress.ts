import type { RunStatusFragment } from '../graphql/generated/documents'
import { hasEnded } from './states'

export type Phase = RunStatusFragment['phases'][number]

/** What the trainer is at besides steps: the phase that began last and has not ended. */
export function currentPhase(phases: readonly Phase[]): Phase | undefined {
  return phases.findLast(({ endedAt }) => endedAt === null)
}

/** The time since the start, or from start to end; null before the start. now: milliseconds since the epoch. */
export function elapsedSeconds(
  run: Pick<RunStatusFragment, 'state' | 'startedAt' | 'endedAt'>,
  now: number,
): number | null {
  if (run.startedAt === null) return null
  const until = hasEnded(run.state) && run.endedAt !== null ? Date.parse(run.endedAt) : now
  return Math.max(0, (until - Date.parse(run.startedAt)) / 1000)
}
