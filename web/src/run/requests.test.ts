import { expect, it } from 'vitest'
import { isAnswered, lookAt } from './requests'

const at = (step: number, startedAt: string | null, endedAt: string | null, state: 'RUNNING' | 'STOPPED' = 'RUNNING') =>
  lookAt(
    { state, step, phases: startedAt === null ? [] : [{ name: 'save', startedAt, endedAt, progress: 0, total: null }] },
    'save',
  )

it('is answered when it was done anew, not by what was done before', () => {
  const asked = at(5, '10:00', '10:01')
  expect(isAnswered(asked, at(6, '10:00', '10:01'))).toBe(false)
  expect(isAnswered(asked, at(6, '10:05', null))).toBe(false)
  expect(isAnswered(asked, at(6, '10:05', '10:06'))).toBe(true)
})

it('is answered when there was nothing to do, or nobody is left to do it', () => {
  const asked = at(5, null, null)
  expect(isAnswered(asked, at(7, null, null))).toBe(false)
  expect(isAnswered(asked, at(8, null, null))).toBe(true)
  expect(isAnswered(asked, at(5, null, null, 'STOPPED'))).toBe(true)
})
