import { expect, it } from 'vitest'
import { checkSetup as check, type SetupForm } from './setupRules'

const good: SetupForm = {
  email: 'a@b.example',
  username: 'ada',
  password: 'correct horse',
  confirmation: 'correct horse',
  setupToken: '',
}

function checkSetup(form: SetupForm) {
  return check(form, { isTokenRequired: false })
}

it('has nothing against a good form', () => expect(checkSetup(good)).toEqual({}))

it('names every field that needs a change', () => {
  expect(Object.keys(checkSetup({ ...good, email: '', username: ' ', password: 'short', confirmation: '' }))).toEqual([
    'email',
    'username',
    'password',
  ])
})

it('asks for the password twice only when it is long enough', () => {
  expect(Object.keys(checkSetup({ ...good, confirmation: 'other' }))).toEqual(['confirmation'])
})

it('knows what is no e-mail address', () => {
  expect(Object.keys(checkSetup({ ...good, email: 'ada' }))).toEqual(['email'])
})

it('wants the setup token only where strangers could be faster', () => {
  expect(check(good, { isTokenRequired: true })).toHaveProperty('setupToken')
  expect(check({ ...good, setupToken: 'x' }, { isTokenRequired: true })).toEqual({})
})
