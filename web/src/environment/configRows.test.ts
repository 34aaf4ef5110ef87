import { expect, it } from 'vitest'
import { formatValue, toConfigRows } from './configRows'

it('sorts the options and writes values as text', () => {
  expect(toConfigRows({ b: 1, a: 'x', c: null })).toEqual([
    { key: 'a', value: 'x' },
    { key: 'b', value: '1' },
    { key: 'c', value: 'null' },
  ])
})

it('filters by key and by value, without regard to case', () => {
  const config = { model_family: 'sd1x', seed: 42, name: 'SEEDLING' }
  expect(toConfigRows(config, ' seed ').map(({ key }) => key)).toEqual(['name', 'seed'])
})

it('has no rows for what is no object', () =>
  expect([null, 3, 'x'].map((config) => toConfigRows(config))).toEqual([[], [], []]))

it('writes nested values on one line', () => expect(formatValue({ a: [1, 2] })).toBe('{ "a": [ 1, 2 ] }'))
