import { expect, it } from 'vitest'
import { exportAddress, readFilters, toFilter, viaKind } from './filters'

const NOW = Date.parse('2030-01-02T00:00:00Z')

it('reads what the address says', () => {
  expect(readFilters(new URLSearchParams('actor=u1&action=user.&last=day'))).toEqual({
    actorId: 'u1',
    action: 'user.',
    last: 'day',
  })
})

it('takes no span that there is not', () => {
  expect(readFilters(new URLSearchParams('last=toString')).last).toBeNull()
})

it('counts a span back from now', () => {
  expect(toFilter({ actorId: null, action: null, last: 'day' }, NOW).since).toBe('2030-01-01T00:00:00.000Z')
})

it('exports what is shown', () => {
  expect(exportAddress({ actorId: null, action: null, last: null }, NOW)).toBe('/api/audit/export')
  expect(exportAddress({ actorId: 'u=', action: 'user.', last: null }, NOW)).toBe(
    '/api/audit/export?actor=u%3D&action=user.',
  )
})

it('tells how somebody came in', () => {
  const kinds = ['session', 'command line']
  expect(viaKind('session 1f2e', kinds)).toBe('session')
  expect(viaKind('command line', kinds)).toBe('command line')
  expect(viaKind('sessions', kinds)).toBe('sessions')
})
