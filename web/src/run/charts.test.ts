import { expect, it } from 'vitest'
import { arrangeCharts, linesOf, valueAt } from './charts'
import type { Series } from './series'

const some: Series = { steps: [1, 3], values: [4, 2] }
const series = {
  optimizer_seconds: some,
  'loss/t750-1000': some,
  step_seconds: some,
  'loss/t0-250': some,
  loss: some,
  gpu_heat: some,
  data_seconds: some,
  empty: { steps: [], values: [] },
}

it('draws together what belongs together, the loss first and what it does not know last', () => {
  expect(arrangeCharts(series)).toEqual([
    { key: 'loss', names: ['loss'] },
    { key: 'loss_by_timestep', names: ['loss/t0-250', 'loss/t750-1000'] },
    { key: 'step_time', names: ['step_seconds', 'data_seconds', 'optimizer_seconds'] },
    { key: 'gpu_heat', names: ['gpu_heat'] },
  ])
})

it('keeps the values behind a single smoothed line, and those of another run apart', () => {
  const lines = linesOf({ key: 'loss', names: ['loss'] }, series, { loss: { steps: [1], values: [9] } }, 0.5)
  expect(lines.map(({ values, raw, isOther }) => ({ values, raw, isOther }))).toEqual([
    { values: [4, 8 / 3], raw: [4, 2], isOther: false },
    { values: [9], raw: null, isOther: true },
  ])
})

it('smooths no learning rate', () => {
  const [line] = linesOf({ key: 'learning_rate', names: ['loss'] }, series, null, 0.9)
  expect([line?.values, line?.raw]).toEqual([[4, 2], null])
})

it('reads the newest value up to a step', () => {
  expect([0, 1, 2, 3, 9].map((step) => valueAt(some, some.values, step))).toEqual([null, 4, 4, 2, 2])
})
