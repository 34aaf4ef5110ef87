import { expect, it } from 'vitest'
import { contentsOf } from './contents'

it.each([
  ['image', {}, 'image'],
  ['video', {}, 'video'],
  ['eval', {}, 'image'],
  ['eval', { video: null }, 'image'],
  ['eval', { video: {} }, 'video'],
])('of kind %s with %j are %ss', (kind, config, contents) => {
  expect(contentsOf({ kind, config })).toBe(contents)
})
