import type { CaptionOperationInput } from '../../graphql/generated/documents'

export const KINDS = ['replace', 'prefix', 'suffix', 'addTag', 'removeTag'] as const
export type Kind = (typeof KINDS)[number]

/** What was typed; each kind keeps its own, so that looking at another one loses nothing. */
export interface Typed {
  kind: Kind
  find: string
  replace: string
  isRegex: boolean
  matchesCase: boolean
  texts: Record<Exclude<Kind, 'replace'>, string>
  atStart: boolean
}

export const NOTHING_TYPED: Typed = {
  kind: 'replace',
  find: '',
  replace: '',
  isRegex: false,
  matchesCase: true,
  texts: { prefix: '', suffix: '', addTag: '', removeTag: '' },
  atStart: false,
}

/** What the service is asked to do; null while there is not enough to do anything. */
export function toOperation(typed: Typed): CaptionOperationInput | null {
  const { kind, find, replace, isRegex, matchesCase, texts, atStart } = typed
  if (kind === 'replace') return find === '' ? null : { replace: { find, replace, isRegex, matchesCase } }
  const text = texts[kind]
  if (text.trim() === '') return null
  return kind === 'addTag' ? { addTag: { tag: text, atStart } } : { [kind]: text }
}
