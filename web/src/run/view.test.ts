import { describe, expect, it } from 'vitest'
import { mergeUpdate, toView, type RunImage, type RunSnapshot, type RunUpdate } from './view'

const status: RunUpdate['run'] = {
  id: 'r',
  state: 'RUNNING',
  step: 2,
  totalSteps: 10,
  epoch: 1,
  progress: 0.2,
  etaSeconds: 8,
  stepsPerSecond: 1,
  imagesPerSecond: 1,
  lastLoss: 0.2,
  startedAt: null,
  endedAt: null,
  endReason: null,
  resumeStep: null,
  stopMode: null,
  weights: [],
  phases: [],
}

const image = (step: number, index: number, id = `${step}-${index}`): RunImage => ({
  id,
  step,
  index,
  prompt: 'a ghost',
  seed: 1,
  url: `/media/${id}.png`,
  thumbnailUrl: `/media/${id}.png`,
  width: 64,
  height: 64,
  numFrames: 1,
  durationSeconds: null,
})

const checkpoint = (step: number, sizeBytes = 1) => ({
  step,
  path: `checkpoint-${step}`,
  sizeBytes,
  at: '2026-01-01T00:00:00Z',
  meanLoss: null,
  evalLoss: null,
  isRolling: false,
  pinned: false,
  weights: [],
})

const line = (message: string) => ({ at: '2026-01-01T00:00:00Z', level: 'info', message })

const snapshot: RunSnapshot = {
  ...status,
  name: 'demo',
  environment: null,
  environmentVersion: 1,
  startedBy: null,
  requestedAt: '2026-01-01T00:00:00Z',
  config: {},
  cursor: 'c1',
  bestStep: null,
  checkpoints: [checkpoint(1)],
  validationImages: [image(0, 0), image(0, 1)],
  metrics: [{ name: 'loss', numPoints: 2, pointsReturned: 2, steps: [1, 2], values: [0.1, 0.2] }],
  log: [line('hello')],
}

const update = (changes: Partial<RunUpdate>): RunUpdate => ({
  cursor: 'c2',
  run: status,
  rewoundToStep: null,
  metrics: [],
  validationImages: [],
  checkpoints: [],
  removedCheckpoints: [],
  log: [],
  skippedPoints: 0,
  ...changes,
})

describe('mergeUpdate', () => {
  const view = toView(snapshot)

  it('appends to the snapshot and takes the newer cursor and status', () => {
    const run = { ...status, step: 4 }
    const merged = mergeUpdate(view, update({ run, metrics: [{ name: 'loss', steps: [3, 4], values: [0.3, 0.4] }] }))
    expect(merged.cursor).toBe('c2')
    expect(merged.status.step).toBe(4)
    expect(merged.series.loss).toEqual({ steps: [1, 2, 3, 4], values: [0.1, 0.2, 0.3, 0.4] })
    expect(view.series.loss?.steps).toEqual([1, 2])
  })

  it('starts a series for a metric that is new', () => {
    const merged = mergeUpdate(view, update({ metrics: [{ name: 'grad_norm', steps: [2], values: [1] }] }))
    expect(Object.keys(merged.series)).toEqual(['loss', 'grad_norm'])
  })

  it('replaces what came after the step that a resume went back to', () => {
    const metrics = [{ name: 'loss', steps: [2, 3], values: [0.7, 0.8] }]
    const merged = mergeUpdate(view, update({ rewoundToStep: 1, metrics }))
    expect(merged.series.loss).toEqual({ steps: [1, 2, 3], values: [0.1, 0.7, 0.8] })
  })

  it('equals the merge of its two halves', () => {
    const first = update({ metrics: [{ name: 'loss', steps: [3], values: [0.3] }], validationImages: [image(3, 0)] })
    const second = update({ metrics: [{ name: 'loss', steps: [4], values: [0.4] }], log: [line('late')] })
    const whole = update({
      metrics: [{ name: 'loss', steps: [3, 4], values: [0.3, 0.4] }],
      validationImages: [image(3, 0)],
      log: [line('late')],
    })
    expect(mergeUpdate(mergeUpdate(view, first), second)).toEqual(mergeUpdate(view, whole))
  })

  it('keeps images in order and replaces one that was made again', () => {
    const merged = mergeUpdate(view, update({ validationImages: [image(5, 0), image(0, 1, 'again')] }))
    expect(merged.images.map(({ id }) => id)).toEqual(['0-0', 'again', '5-0'])
  })

  it('lists the newest checkpoint first and each step once', () => {
    const merged = mergeUpdate(view, update({ checkpoints: [checkpoint(1, 2), checkpoint(9)] }))
    expect(merged.checkpoints.map(({ step, sizeBytes }) => [step, sizeBytes])).toEqual([
      [9, 1],
      [1, 2],
    ])
  })

  it('drops checkpoints that are gone', () => {
    const merged = mergeUpdate(view, update({ checkpoints: [checkpoint(9)], removedCheckpoints: [1] }))
    expect(merged.checkpoints.map(({ step }) => step)).toEqual([9])
  })

  it('keeps the last 200 lines of the log', () => {
    const log = Array.from({ length: 250 }, (_, index) => line(String(index)))
    const merged = mergeUpdate(view, update({ log }))
    expect([merged.log.length, merged.log.at(-1)?.message]).toEqual([200, '249'])
    expect(merged.log.map(({ number }) => number)).toEqual(Array.from({ length: 200 }, (_, index) => index + 52))
  })

  it('counts what was skipped', () => {
    const once = mergeUpdate(view, update({ skippedPoints: 3 }))
    expect(mergeUpdate(once, update({ skippedPoints: 4 })).skippedPoints).toBe(7)
  })

  it('leaves what did not change as it was', () => {
    const merged = mergeUpdate(view, update({}))
    expect([merged.series, merged.images, merged.checkpoints, merged.log]).toEqual([
      view.series,
      view.images,
      view.checkpoints,
      view.log,
    ])
    expect(merged.images).toBe(view.images)
  })
})
