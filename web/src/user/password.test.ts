import { expect, it } from 'vitest'
import { makePassword } from './password'

it('makes passwords that can be read out', () => {
  expect(makePassword()).toMatch(/^([a-z2-9]{4}-){3}[a-z2-9]{4}$/)
})

it('never makes one twice', () => {
  expect(new Set(Array.from({ length: 100 }, makePassword)).size).toBe(100)
})
