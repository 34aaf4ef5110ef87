import { expect, it } from 'vitest'
import { readPair } from './pair'

it.each([
  ['', 5, { from: 4, to: 5 }],
  ['', 1, { from: 1, to: 1 }],
  ['from=2&to=4', 5, { from: 2, to: 4 }],
  ['from=4&to=2', 5, { from: 4, to: 2 }],
  ['from=2', 5, { from: 2, to: 5 }],
  ['to=3', 5, { from: 2, to: 3 }],
  ['from=9&to=x', 5, { from: 4, to: 5 }],
  ['from=1.5&to=0', 5, { from: 4, to: 5 }],
])('%s of %d', (search, newest, pair) => expect(readPair(new URLSearchParams(search), newest)).toEqual(pair))
