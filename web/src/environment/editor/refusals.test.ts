import { expect, it } from 'vitest'
import { refusalOf, sortByOption } from './refusals'

const refuse = (message: string, ...path: string[]) => ({ code: 'INVALID_INPUT' as const, message, path })

it('puts a refusal at the option that its path names', () => {
  const errors = [refuse('learning_rate is 2', 'config', 'learning_rate'), refuse('odd', 'input', 'set', 'seed', '0')]
  expect(sortByOption(errors, {}).byOption).toEqual({ learning_rate: 'learning_rate is 2', seed: 'Odd' })
})

it('says what belongs to no option beside the form', () => {
  expect(sortByOption([refuse('both are 0', 'config')], {}).others).toEqual(['Both are 0'])
})

it('takes a lost race for no fault of an option', () => {
  const raced = { code: 'STALE_VERSION' as const, message: 'changed since: seed', path: ['expectedVersion'] }
  expect(sortByOption([raced], {})).toEqual({ byOption: {}, others: [], tried: {} })
})

it('knows the datasets by the name of their input', () => {
  expect(sortByOption([refuse('gone', 'datasetIds')], {}).byOption).toEqual({ datasets: 'Gone' })
})

it('falls silent once the option is another', () => {
  const refusals = sortByOption([refuse('too much', 'config', 'seed')], { seed: 9 })
  expect(refusalOf(refusals, 'seed', { seed: 9 })).toBe('Too much')
  expect(refusalOf(refusals, 'seed', { seed: 1 })).toBeUndefined()
})
