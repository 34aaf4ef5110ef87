import { messages } from '../app/messages'

export interface AccountForm {
  email: string
  username: string
  password: string
}

export interface SetupForm extends AccountForm {
  confirmation: string
  setupToken: string
}

export type AccountProblems = Partial<Record<keyof AccountForm, string>>
export type SetupProblems = Partial<Record<keyof SetupForm, string>>

export const SHORTEST_PASSWORD = 8

/** What can be said about an account before the service is asked; the service has the last word. */
export function checkAccount(form: AccountForm): AccountProblems {
  const words = messages.firstStart
  const problems: AccountProblems = {}
  if (form.email.trim() === '') problems.email = words.required
  else if (!/^\S+@\S+$/.test(form.email.trim())) problems.email = words.badEmail
  if (form.username.trim() === '') problems.username = words.required
  const length = Array.from(form.password).length
  if (length < SHORTEST_PASSWORD) problems.password = words.shortPassword(length)
  return problems
}

/** The same of the first administrator, who types the password twice. */
export function checkSetup(form: SetupForm, { isTokenRequired }: { isTokenRequired: boolean }): SetupProblems {
  const words = messages.firstStart
  const problems: SetupProblems = checkAccount(form)
  if (problems.password === undefined && form.confirmation !== form.password)
    problems.confirmation = words.differentPasswords
  if (isTokenRequired && form.setupToken.trim() === '') problems.setupToken = words.required
  return problems
}
