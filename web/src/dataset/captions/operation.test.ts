import { expect, it } from 'vitest'
import { NOTHING_TYPED, toOperation } from './operation'

const TEXTS = NOTHING_TYPED.texts

it.each([
  [{}, null],
  [{ find: 'a' }, { replace: { find: 'a', replace: '', isRegex: false, matchesCase: true } }],
  [{ find: ' ' }, { replace: { find: ' ', replace: '', isRegex: false, matchesCase: true } }],
  [{ kind: 'prefix' as const, find: 'a' }, null],
  [{ kind: 'prefix' as const, texts: { ...TEXTS, prefix: 'sks ' } }, { prefix: 'sks ' }],
  [{ kind: 'removeTag' as const, texts: { ...TEXTS, removeTag: 'blurry' } }, { removeTag: 'blurry' }],
  [
    { kind: 'addTag' as const, texts: { ...TEXTS, addTag: 'cat' }, atStart: true },
    { addTag: { tag: 'cat', atStart: true } },
  ],
])('%j', (typed, operation) => expect(toOperation({ ...NOTHING_TYPED, ...typed })).toEqual(operation))
