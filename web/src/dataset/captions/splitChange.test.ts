import { expect, it } from 'vitest'
import { splitChange } from './splitChange'

it.each([
  ['a grey cat', 'a red cat', ['a ', 'grey', 'red', ' cat']],
  ['cat', 'sks cat', ['', '', 'sks ', 'cat']],
  ['aaa', 'aa', ['aa', 'a', '', '']],
  ['', 'cat', ['', '', 'cat', '']],
  ['same', 'same', ['same', '', '', '']],
  ['🐱🐶', '🐱🐭', ['🐱', '🐶', '🐭', '']],
])('%s → %s', (before, after, [start, removed, added, end]) =>
  expect(splitChange(before, after)).toEqual({ start, removed, added, end }),
)
