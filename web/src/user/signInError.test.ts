import { expect, it } from 'vitest'
import { messages } from '../app/messages'
import { signInError } from './signInError'

it('has nothing to say when nothing went wrong', () => expect(signInError('')).toBe(null))

it('says in words what the service put into the address', () =>
  expect(signInError('?error=expired')).toBe(messages.signIn.errors.expired))

it('never shows what somebody else put there', () => {
  for (const code of ['<b>you won</b>', 'constructor', ''])
    expect(signInError(`?error=${encodeURIComponent(code)}`)).toBe(messages.signIn.errors.provider)
})
