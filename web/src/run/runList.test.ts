import { expect, it } from 'vitest'
import type { RunRowFragment } from '../graphql/generated/documents'
import { answer, ask, change, EMPTY_LIST, toRows } from './runList'

const row = (id: string, requestedAt: string, step = 0): RunRowFragment => ({
  id,
  name: id,
  state: 'RUNNING',
  step,
  totalSteps: 10,
  progress: 0,
  etaSeconds: null,
  lastLoss: null,
  environment: null,
  startedBy: null,
  requestedAt,
  startedAt: null,
  endedAt: null,
  endReason: null,
})

const a = row('a', '2026-01-01T00:00:00Z')
const b = row('b', '2026-01-02T00:00:00Z')
const c = row('c', '2026-01-03T00:00:00Z')
const steps = (list: Parameters<typeof toRows>[0]) => toRows(list).map(({ id, step }) => [id, step])

it('updates in place and puts a new run first', () => {
  const list = change(change(answer(EMPTY_LIST, [b, a]), { ...a, step: 5 }), { ...c, step: 1 })
  expect(steps(list)).toEqual([
    ['c', 1],
    ['b', 0],
    ['a', 5],
  ])
})

it('believes the newer list rather than an earlier change', () => {
  const before = change(answer(EMPTY_LIST, [a]), { ...a, step: 5 })
  expect(steps(ask(before))).toEqual([['a', 5]])
  expect(steps(answer(ask(before), [{ ...a, step: 9 }]))).toEqual([['a', 9]])
})

it('keeps a change that came while the list was on its way', () => {
  const list = answer(change(ask(EMPTY_LIST), { ...a, step: 9 }), [{ ...a, step: 8 }])
  expect(steps(list)).toEqual([['a', 9]])
})

it('puts older pages behind, with the changes of their runs', () => {
  const list = change(answer(EMPTY_LIST, [c, b]), { ...a, step: 3 })
  expect(toRows(list, [a]).map(({ id, step }) => [id, step])).toEqual([
    ['c', 0],
    ['b', 0],
    ['a', 3],
  ])
})
