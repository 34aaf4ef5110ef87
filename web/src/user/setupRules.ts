import { messages } from '../app/messages'

export interface SetupForm {
  email: string
  username: string
  password: string
  confirmation: string
  setupToken: string
}

export type SetupProblems = Partial<Record<keyof SetupForm, string>>

export const SHORTEST_PASSWORD = 8

/** What can be said about the form before the service is asked; the service has the last word. */
export function checkSetup(form: SetupForm, { isTokenRequired }: { isTokenRequired: boolean }): SetupProblems {
  const words = messages.firstStart
  const problems: SetupProblems = {}
  if (form.email.trim() === '') problems.email = words.required
  else if (!/^\S+@\S+$/.test(form.email.trim())) problems.email = words.badEmail
  if (form.username.trim() === '') problems.username = words.required
  const length = Array.from(form.password).length
  if (length < SHORTEST_PASSWORD) problems.password = words.shortPassword(length)
  else if (form.confirmation !== form.password) problems.confirmation = words.differentPasswords
  if (isTokenRequired && form.setupToken.trim() === '') problems.setupToken = words.required
  return problems
}
