import { expect, it } from 'vitest'
import { isUnauthenticated, sortRefusals } from './errors'

it('puts a refusal at the field its path names', () => {
  const errors = [{ code: 'INVALID_INPUT' as const, message: 'Too short.', path: ['input', 'password'] }]
  expect(sortRefusals(errors, ['email', 'password'])).toEqual({ fields: { password: 'Too short.' }, form: null })
})

it('says what belongs to no field above the form', () => {
  const errors = [
    { code: 'WRONG_STATE' as const, message: 'Already set up.', path: [] },
    { code: 'INVALID_INPUT' as const, message: 'Odd.', path: ['input', 'other'] },
  ]
  expect(sortRefusals(errors, ['email'])).toEqual({ fields: {}, form: 'Already set up. Odd.' })
})

it('joins two refusals of one field', () => {
  const errors = ['A.', 'B.'].map((message) => ({ code: 'INVALID_INPUT' as const, message, path: ['email'] }))
  expect(sortRefusals(errors, ['email']).fields).toEqual({ email: 'A. B.' })
})

it('knows that nobody is signed in by the code alone', () => {
  expect(isUnauthenticated([{ extensions: { code: 'UNAUTHENTICATED' } }])).toBe(true)
  expect(isUnauthenticated([{ extensions: { code: 'FORBIDDEN' } }])).toBe(false)
  expect(isUnauthenticated(undefined)).toBe(false)
})
