import { expect, it } from 'vitest'
import { describeDone, describeScan, isUnderWay, shareOf, type Scan } from './scan'

const SCAN: Scan = { state: 'READING', numDone: 1, numTotal: 3, finishedAt: null, error: null, cursor: 'c' }

it.each([
  [null, 'Not scanned'],
  [{ ...SCAN, state: 'WAITING' as const }, 'Waiting'],
  [SCAN, 'Reading files, 33 %'],
  [{ ...SCAN, state: 'FINISHED' as const }, 'Scanned'],
])('%j', (scan, said) => expect(describeScan(scan)).toBe(said))

it('tells no share of what is not listed yet', () => {
  expect(shareOf({ ...SCAN, state: 'LISTING' })).toBe(0)
  expect(shareOf({ ...SCAN, numDone: 0, numTotal: 0 })).toBe(0)
})

it('is under way until it has ended', () => {
  expect([isUnderWay(null), isUnderWay(SCAN), isUnderWay({ state: 'FAILED' })]).toEqual([false, true, false])
})

it('counts nothing while nothing is known', () => expect(describeDone({ numDone: 0, numTotal: 0 })).toBeNull())
