import type { CombinedError } from '@urql/core'
import { toSentence } from '../app/format'
import { messages } from '../app/messages'
import type { ErrorPartsFragment } from './generated/documents'

/** What went wrong with a form: at its fields, and for the rest of it as one line. */
export interface Refusal<Field extends string> {
  fields: Partial<Record<Field, string>>
  form: string | null
}

export interface CodedError {
  extensions?: Record<string, unknown> | undefined
}

/** Sort refusals to the fields that their path ends in; what names no field of the form is said above it. */
export function sortRefusals<Field extends string>(
  errors: readonly ErrorPartsFragment[],
  names: readonly Field[],
): Refusal<Field> {
  const fields: Partial<Record<Field, string>> = {}
  const others: string[] = []
  for (const error of errors) {
    const field = names.find((name) => error.path.includes(name))
    const message = toSentence(error.message)
    if (field === undefined) others.push(message)
    else fields[field] = [fields[field], message].filter(Boolean).join(' ')
  }
  return { fields, form: others.length > 0 ? others.join(' ') : null }
}

export function isUnauthenticated(errors: readonly CodedError[] | undefined): boolean {
  return errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED') ?? false
}

/** A failed request in words: what the service said, or that it did not answer. */
export function describeFailure(error: CombinedError): string {
  const said = error.graphQLErrors.map((inner) => toSentence(inner.message)).join(' ')
  return said === '' ? messages.connection.unreachable : said
}
