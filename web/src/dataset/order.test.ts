import { expect, it } from 'vitest'
import { moved } from './order'

it.each([
  [1, -1, 'bac'],
  [1, 1, 'acb'],
  [0, -1, 'abc'],
  [2, 1, 'abc'],
])('entry %d by %d', (from, by, order) => expect(moved(['a', 'b', 'c'], from, by).join('')).toBe(order))
