import { expect, it } from 'vitest'
import { fieldKind, formatMapping, parseMapping, splitFields, toChange, type ProviderField } from './providerFields'

function field(name: string, fallback: unknown, required = false): ProviderField {
  return { name, help: '', required, default: fallback }
}

it('tells from the default how a field is filled in', () => {
  const kinds = [true, [], {}, null, 'uid'].map((fallback) => fieldKind(field('x', fallback)))
  expect(kinds).toEqual(['switch', 'texts', 'mapping', 'text', 'text'])
  expect(fieldKind(field('default_levels', ['researcher']))).toBe('levels')
})

it('puts what must be filled in first', () => {
  const { first, more } = splitFields([field('allowed_domains', []), field('name', null, true), field('scopes', [])])
  expect([first, more].map((fields) => fields.map(({ name }) => name))).toEqual([
    ['name', 'allowed_domains'],
    ['scopes'],
  ])
})

it('reads back the mapping that it writes, with colons in names of groups', () => {
  const mapping = { 'urn:staff': ['researcher', 'lead'], guests: ['viewer'] }
  expect(parseMapping(formatMapping(mapping))).toEqual(mapping)
})

it('keeps a group without levels, for the service to say so', () => {
  expect(parseMapping('staff\n\n')).toEqual({ staff: [] })
})

it('leaves an emptied text to its default, but not one that must be filled in', () => {
  const fields = [field('ca_file', null), field('name', null, true), field('enabled', true)]
  expect(toChange({ ca_file: '', name: '', enabled: false }, fields)).toEqual({
    set: { name: '', enabled: false },
    unset: ['ca_file'],
  })
})
