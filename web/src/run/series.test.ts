import { describe, expect, it } from 'vitest'
import { append, cutAfter, EMPTY_SERIES, smooth, thin, type Series } from './series'

const series: Series = { steps: [1, 2, 5], values: [0.1, 0.2, 0.5] }

describe('append', () => {
  it('adds what is newer', () => {
    expect(append(series, { steps: [6, 7], values: [0.6, 0.7] })).toEqual({
      steps: [1, 2, 5, 6, 7],
      values: [0.1, 0.2, 0.5, 0.6, 0.7],
    })
  })

  it('leaves out what is already there', () => {
    expect(append(series, { steps: [2, 5, 6], values: [9, 9, 0.6] })).toEqual({
      steps: [1, 2, 5, 6],
      values: [0.1, 0.2, 0.5, 0.6],
    })
  })

  it('turns what is no number into a gap', () => {
    expect(append(EMPTY_SERIES, { steps: [1, 2], values: [NaN, null] }).values).toEqual([null, null])
  })
})

describe('cutAfter', () => {
  it('keeps the step itself', () => expect(cutAfter(series, 2)).toEqual({ steps: [1, 2], values: [0.1, 0.2] }))
  it('may leave nothing', () => expect(cutAfter(series, 0)).toEqual(EMPTY_SERIES))
  it('returns the same series when nothing is behind the step', () => expect(cutAfter(series, 5)).toBe(series))
})

describe('thin', () => {
  it('leaves a short series alone', () => expect(thin(series, 3)).toBe(series))

  it('keeps a spike, the newest quarter and the order', () => {
    const steps = Array.from({ length: 100 }, (_, index) => index)
    const values = steps.map((step) => (step === 33 ? 50 : step / 100))
    const thinned = thin({ steps, values }, 99)
    expect(thinned.steps.length).toBeLessThan(70)
    expect(thinned.values).toContain(50)
    expect(thinned.steps.slice(-25)).toEqual(steps.slice(-25))
    expect(thinned.steps).toEqual([...thinned.steps].sort((a, b) => a - b))
  })
})

describe('smooth', () => {
  it('without weight gives the values', () => expect(smooth([1, 2, 3], 0)).toEqual([1, 2, 3]))

  it('of a constant is the constant from the first value on', () => {
    for (const value of smooth([2, 2, 2], 0.9)) expect(value).toBeCloseTo(2, 12)
  })

  it('is the bias-corrected average', () => {
    const [first, second] = smooth([1, 3], 0.5)
    expect(first).toBeCloseTo(1)
    expect(second).toBeCloseTo((0.25 * 1 + 0.5 * 3) / 0.75)
  })

  it('leaves gaps as they are', () => expect(smooth([1, null, 1], 0.5)).toEqual([1, null, 1]))
})
