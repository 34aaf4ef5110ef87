import type {
  CheckpointPartsFragment,
  ImagePartsFragment,
  RunQuery,
  RunStatusFragment,
  RunUpdatesSubscription,
} from '../graphql/generated/documents'
import { append, cutAfter, EMPTY_SERIES, type Series } from './series'

export type RunSnapshot = NonNullable<RunQuery['trainingRun']>
export type RunUpdate = RunUpdatesSubscription['runUpdates']
export type RunImage = ImagePartsFragment
export type Checkpoint = CheckpointPartsFragment
/** number: its place in the whole log since the page was opened; it stays when older lines are dropped. */
export type LogLine = RunSnapshot['log'][number] & { number: number }

/** What the page shows of a run: a snapshot with every update after its cursor merged in. */
export interface RunView {
  identity: Pick<
    RunSnapshot,
    'id' | 'name' | 'environment' | 'environmentVersion' | 'startedBy' | 'requestedAt' | 'config'
  >
  status: RunStatusFragment
  cursor: string
  series: Readonly<Record<string, Series>>
  images: readonly RunImage[]
  checkpoints: readonly Checkpoint[]
  bestStep: number | null
  log: readonly LogLine[]
  skippedPoints: number
}

export const MOST_LOG_LINES = 200

export function toView(snapshot: RunSnapshot): RunView {
  const { metrics, validationImages, checkpoints, bestStep, log, cursor, ...rest } = snapshot
  const series = metrics.map(({ name, steps, values }): [string, Series] => [name, { steps, values }])
  return {
    identity: rest,
    status: rest,
    cursor,
    series: Object.fromEntries(series),
    images: [...validationImages].sort(byStepAndIndex),
    checkpoints: [...checkpoints].sort(newestFirst),
    bestStep,
    log: appendLines([], log),
    skippedPoints: 0,
  }
}

/** The view after an update. The old view is left as it was, and parts that did not change stay the same objects. */
export function mergeUpdate(view: RunView, update: RunUpdate): RunView {
  const { rewoundToStep } = update
  const kept = rewoundToStep === null ? view.series : rewind(view.series, rewoundToStep)
  return {
    ...view,
    status: update.run,
    cursor: update.cursor,
    series: mergeMetrics(kept, update.metrics),
    images: mergeImages(view.images, update.validationImages),
    checkpoints: mergeCheckpoints(view.checkpoints, update),
    log: appendLines(view.log, update.log),
    skippedPoints: view.skippedPoints + update.skippedPoints,
  }
}

function rewind(series: RunView['series'], step: number): RunView['series'] {
  return Object.fromEntries(Object.entries(series).map(([name, points]) => [name, cutAfter(points, step)]))
}

function mergeMetrics(series: RunView['series'], deltas: RunUpdate['metrics']): RunView['series'] {
  if (deltas.length === 0) return series
  const merged = { ...series }
  for (const delta of deltas) merged[delta.name] = append(merged[delta.name] ?? EMPTY_SERIES, delta)
  return merged
}

/** An image made again at the same step and place, after a resume, replaces the earlier one. */
function mergeImages(images: readonly RunImage[], added: readonly RunImage[]): readonly RunImage[] {
  if (added.length === 0) return images
  const byPlace = new Map([...images, ...added].map((image) => [`${image.step}.${image.index}`, image]))
  return [...byPlace.values()].sort(byStepAndIndex)
}

function mergeCheckpoints(checkpoints: readonly Checkpoint[], update: RunUpdate): readonly Checkpoint[] {
  if (!changesCheckpoints(update)) return checkpoints
  const byStep = new Map([...checkpoints, ...update.checkpoints].map((checkpoint) => [checkpoint.step, checkpoint]))
  for (const step of update.removedCheckpoints) byStep.delete(step)
  return [...byStep.values()].sort(newestFirst)
}

export function changesCheckpoints({ checkpoints, removedCheckpoints }: RunUpdate): boolean {
  return checkpoints.length > 0 || removedCheckpoints.length > 0
}

function appendLines(log: readonly LogLine[], added: RunSnapshot['log']): readonly LogLine[] {
  if (added.length === 0) return log
  const next = (log.at(-1)?.number ?? 0) + 1
  return [...log, ...added.map((line, index) => ({ ...line, number: next + index }))].slice(-MOST_LOG_LINES)
}

function byStepAndIndex(one: RunImage, other: RunImage): number {
  return one.step - other.step || one.index - other.index
}

function newestFirst(one: Checkpoint, other: Checkpoint): number {
  return other.step - one.step
}
