import { messages } from '../app/messages'

/** What went wrong at a provider, by the word that the service put into the address; null when nothing did. */
export function signInError(search: string): string | null {
  const code = new URLSearchParams(search).get('error')
  if (code === null) return null
  const { errors } = messages.signIn
  return (Object.hasOwn(errors, code) ? errors[code] : errors.provider) ?? null
}
