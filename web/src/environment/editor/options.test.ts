import { describe, expect, it } from 'vitest'
import { groupOptions, isShown, matches, unmetRequirements, type ConfigOption } from './options'

const OPTION: ConfigOption = {
  key: 'lr_power',
  label: 'Power',
  help: 'Exponent of the polynomial schedule.',
  group: 'optimizer',
  type: 'number',
  default: 0.8,
  choices: [],
  minimum: 0,
  maximum: null,
  exclusiveMinimum: false,
  exclusiveMaximum: false,
  unit: null,
  advanced: true,
  requires: { lr_scheduler: 'polynomial' },
  starters: [],
}

it('groups options in the order of the groups', () => {
  const described = ['optimizer', 'memory', 'data'].map((key) => ({ key, label: key.toUpperCase(), help: '' }))
  const groups = groupOptions(described, [{ ...OPTION, group: 'data' }, OPTION, OPTION])
  expect(groups.map(({ key, label, options }) => [key, label, options.length])).toEqual([
    ['optimizer', 'OPTIMIZER', 2],
    ['data', 'DATA', 1],
  ])
})

describe('matches', () => {
  it.each(['power', 'LR_POWER', 'lr power', 'polynomial exponent', 'optimizer'])('%s', (search) =>
    expect(matches(OPTION, search)).toBe(true),
  )
  it('wants every word', () => expect(matches(OPTION, 'power resolution')).toBe(false))
})

describe('unmetRequirements', () => {
  it('is empty when the other option is so', () => {
    expect(unmetRequirements(OPTION, () => 'polynomial')).toEqual([])
  })
  it('says what is wanted', () => {
    expect(unmetRequirements(OPTION, () => 'constant')).toEqual([{ key: 'lr_scheduler', wanted: ['polynomial'] }])
  })
  it('takes any of several values', () => {
    const option = { ...OPTION, requires: { lr_scheduler: ['cosine', 'polynomial'] } }
    expect(unmetRequirements(option, () => 'polynomial')).toEqual([])
    expect(unmetRequirements(option, () => undefined)).toHaveLength(1)
  })
})

describe('isShown', () => {
  const standing = { extent: 'basic', search: '', isChosen: false, hasProblem: false, isMet: true } as const
  it('leaves advanced options to those who ask for all', () => {
    expect(isShown(OPTION, standing)).toBe(false)
    expect(isShown(OPTION, { ...standing, extent: 'all' })).toBe(true)
  })
  it('never hides what was chosen or is wrong', () => {
    expect(isShown(OPTION, { ...standing, isChosen: true, isMet: false })).toBe(true)
    expect(isShown(OPTION, { ...standing, hasProblem: true, extent: 'set' })).toBe(true)
  })
  it('hides what does not count', () => {
    expect(isShown(OPTION, { ...standing, extent: 'all', isMet: false })).toBe(false)
  })
  it('finds everything by searching', () => {
    expect(isShown(OPTION, { ...standing, search: 'power', isMet: false })).toBe(true)
    expect(isShown(OPTION, { ...standing, search: 'seed', isChosen: true })).toBe(false)
  })
})
