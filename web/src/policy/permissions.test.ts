import { expect, it } from 'vitest'
import { effectiveRights, expand, groupRights, isWithinReach, keepPatterns } from './permissions'

const ALL = ['job.submit', 'job.view.own', 'config.view', 'paths.any', 'secrets.edit']

it('groups by the first part of the name, and what concerns the machine as one', () => {
  const groups = groupRights(ALL.map((name) => ({ name, description: '' })))
  expect(groups.map(({ key, rights }) => [key, rights.length])).toEqual([
    ['job', 2],
    ['config', 1],
    ['machine', 2],
  ])
})

it('expands patterns', () => {
  expect([...expand(['job.*', 'config.view'], ALL)]).toEqual(['job.submit', 'job.view.own', 'config.view'])
  expect(expand(['*'], ALL).size).toBe(ALL.length)
})

it('does not take a pattern for a prefix of other names', () => {
  expect([...expand(['con.*'], ALL)]).toEqual([])
})

it('keeps a pattern while all of it is chosen', () => {
  const chosen = new Set(['job.submit', 'job.view.own', 'config.view'])
  expect(keepPatterns(chosen, ['job.*'], ALL)).toEqual(['config.view', 'job.*'])
})

it('takes a pattern apart when a part of it is not chosen any more', () => {
  expect(keepPatterns(new Set(['job.submit']), ['job.*'], ALL)).toEqual(['job.submit'])
})

it('knows what is beyond reach', () => {
  expect(isWithinReach(['job.*'], ALL, ['job.submit'])).toBe(false)
  expect(isWithinReach(['job.submit'], ALL, ['job.submit'])).toBe(true)
})

it('adds levels and grants up, and takes denials away', () => {
  const levels = [
    { name: 'viewer', permissions: ['job.view.own', 'config.view'] },
    { name: 'other', permissions: ['*'] },
  ]
  const rights = { levels: ['viewer'], grants: ['job.*'], denials: ['config.view'] }
  expect(effectiveRights(rights, levels, ALL)).toEqual(['job.submit', 'job.view.own'])
})
