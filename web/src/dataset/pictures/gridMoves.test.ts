import { expect, it } from 'vitest'
import { columnsOf, neighbourOf } from './gridMoves'

const GRID = { count: 8, columns: 3 }

it.each([
  [0, 'ArrowLeft', null],
  [0, 'ArrowRight', 1],
  [1, 'ArrowDown', 4],
  [6, 'ArrowDown', null],
  [1, 'ArrowUp', null],
  [7, 'ArrowUp', 4],
  [4, 'Home', 0],
  [4, 'End', 7],
  [4, 'Enter', null],
])('%d by %s', (place, key, next) => expect(neighbourOf(place, key, GRID)).toBe(next))

it.each([
  [[], 1],
  [[5, 5, 5], 3],
  [[5, 5, 90, 90], 2],
])('%j', (tops, columns) => expect(columnsOf(tops)).toBe(columns))
