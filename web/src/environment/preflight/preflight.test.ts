import { expect, it } from 'vitest'
import type { ProblemSeverity } from '../../graphql/generated/documents'
import {
  bySeverity,
  isOpenAtFirst,
  keysOf,
  sortBuckets,
  toBars,
  toInput,
  verdictOf,
  type Bucket,
  type Preflight,
  type Problem,
} from './preflight'

const problem = (severity: ProblemSeverity, code: string): Problem => ({
  severity,
  code,
  message: code,
  path: [],
  suggestions: [],
})

const bucket = (width: number, usable: boolean): Bucket => ({
  dataset: 'cats',
  width,
  height: 64,
  numFrames: 1,
  numImages: 3,
  scheduled: usable ? 4 : 0,
  smallestRepeats: 1,
  usable,
})

const calm: Preflight = {
  ok: true,
  totalSteps: 10,
  stepsPerEpoch: 3,
  epochs: 4,
  effectiveBatchSize: 2,
  numImages: 5,
  isEstimate: false,
  numTrainableParameters: null,
  numValidationImages: null,
  memory: null,
  disk: null,
  buckets: [],
  problems: [],
}
const tight = { estimatedBytes: 9, perPhase: [], availableBytes: 8, fits: false }

it.each([
  [calm, 'ready'],
  [{ ...calm, problems: [problem('INFO', 'a')] }, 'ready'],
  [{ ...calm, problems: [problem('WARNING', 'a')] }, 'look'],
  [{ ...calm, memory: tight }, 'look'],
  [{ ...calm, memory: { ...tight, availableBytes: null, fits: null } }, 'ready'],
  [{ ...calm, ok: false, problems: [problem('ERROR', 'a')] }, 'blocked'],
])('says whether a run can start (%#)', (preflight, verdict) => expect(verdictOf(preflight)).toBe(verdict))

it('groups problems with the worst first', () => {
  const problems = [problem('INFO', 'a'), problem('ERROR', 'b'), problem('INFO', 'c')]
  expect(bySeverity(problems).map(({ severity, problems }) => [severity, problems.map(({ code }) => code)])).toEqual([
    ['ERROR', ['b']],
    ['INFO', ['a', 'c']],
  ])
})

it('sends of a suggestion what an update takes', () => {
  const suggestion = {
    label: 'Batch size 1',
    target: 'environment' as const,
    id: 'e',
    expectedVersion: 3,
    set: { train_batch_size: 1 },
    unset: ['gradient_accumulation_steps'],
  }
  expect(toInput(suggestion)).toEqual({
    id: 'e',
    expectedVersion: 3,
    set: { train_batch_size: 1 },
    unset: ['gradient_accumulation_steps'],
  })
  expect(keysOf(suggestion)).toEqual(['train_batch_size', 'gradient_accumulation_steps'])
})

it('draws needs on the scale of what there is, or of the largest', () => {
  expect(toBars([4, 8], 16)).toEqual([
    { share: 0.25, isTooLarge: false },
    { share: 0.5, isTooLarge: false },
  ])
  expect(toBars([8, 32], 16)).toEqual([
    { share: 0.25, isTooLarge: false },
    { share: 1, isTooLarge: true },
  ])
  expect(toBars([5, 10], null).map(({ share }) => share)).toEqual([0.5, 1])
  expect(toBars([0], null)).toEqual([{ share: 0, isTooLarge: false }])
  expect(toBars([1], 0)).toEqual([{ share: 1, isTooLarge: true }])
})

it('shows buckets that are too small first, and many only on demand', () => {
  const buckets = [bucket(64, true), bucket(96, false), bucket(128, true)]
  expect(sortBuckets(buckets).map(({ width }) => width)).toEqual([96, 64, 128])
  expect([isOpenAtFirst(buckets), isOpenAtFirst(Array<Bucket>(9).fill(bucket(64, true)))]).toEqual([true, false])
})
