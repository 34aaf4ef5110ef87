import { describe, expect, it } from 'vitest'
import { formatNumber, fromText, isSame, parseNumber, toText } from './values'

const OPTION = {
  type: 'number',
  default: 1 as unknown,
  choices: [],
  minimum: 0 as number | null,
  maximum: 1,
  exclusiveMinimum: false,
  exclusiveMaximum: false,
}

describe('parseNumber', () => {
  it.each([
    ['1e-4', 1e-4],
    ['1E-4', 1e-4],
    ['.5', 0.5],
    ['5.', 5],
    ['-3', -3],
    ['+2.5e3', 2500],
  ])('%s', (text, value) => expect(parseNumber(text)).toBe(value))

  it.each(['', '1e', '0x10', '1,5', 'Infinity', 'NaN', '1e999', '1 000', '--1'])('refuses %s', (text) =>
    expect(parseNumber(text)).toBeNull(),
  )
})

describe('formatNumber', () => {
  it.each([
    [0.0001, '1e-4'],
    [0.00015, '1.5e-4'],
    [0.001, '0.001'],
    [0.999, '0.999'],
    [0, '0'],
    [-0.00002, '-2e-5'],
    [2147483647, '2147483647'],
  ])('%d', (value, text) => expect(formatNumber(value)).toBe(text))
})

describe('fromText', () => {
  it('reads a number and keeps how it was typed', () => {
    expect(fromText(OPTION, '1.0e-4')).toEqual({ value: 1e-4, text: '1.0e-4' })
  })
  it('leaves an empty field to the default', () => expect(fromText(OPTION, ' ')).toEqual({}))
  it('says the bounds', () => {
    expect(fromText(OPTION, '-1').problem).toBe('At least 0.')
    expect(fromText(OPTION, '1.5').problem).toBe('At most 1.')
    expect(fromText({ ...OPTION, exclusiveMinimum: true }, '0').problem).toBe('More than 0.')
    expect(fromText({ ...OPTION, exclusiveMaximum: true }, '1').problem).toBe('Less than 1.')
  })
  it('wants whole numbers where they are', () => {
    const integer = { ...OPTION, type: 'integer', minimum: null, maximum: null }
    expect(fromText(integer, '2.5').problem).toBe('A whole number, please.')
    expect(fromText(integer, '1e3').value).toBe(1000)
  })
  it('lets values from the process environment be', () => {
    expect(fromText(OPTION, '{env:RATE}').value).toBe('{env:RATE}')
  })
  it('reads JSON and says what is wrong with it', () => {
    const json = { ...OPTION, type: 'json', default: null }
    expect(fromText(json, '{"a": [1]}').value).toEqual({ a: [1] })
    expect(fromText(json, '{"a"').problem).toMatch(/^This is not JSON/)
  })
  it('tells an empty text from none by the default', () => {
    expect(fromText({ ...OPTION, type: 'text', default: null }, '')).toEqual({})
    expect(fromText({ ...OPTION, type: 'text', default: 'some' }, '')).toEqual({ value: '' })
  })
  it('keeps the type of choices', () => {
    expect(fromText({ ...OPTION, type: 'choice', default: 8 }, '16').value).toBe(16)
    expect(fromText({ ...OPTION, type: 'choice', default: 'no' }, '16').value).toBe('16')
  })
})

describe('toText', () => {
  it.each([
    ['number', 0.0001, '1e-4'],
    ['text', null, ''],
    ['text', 'a', 'a'],
    ['json', { a: 1 }, '{\n  "a": 1\n}'],
    ['text', ['a'], '["a"]'],
  ])('%s', (type, value, text) => expect(toText(type, value)).toBe(text))
})

describe('isSame', () => {
  it('does not mind the order of keys', () => expect(isSame({ a: 1, b: [1] }, { b: [1], a: 1 })).toBe(true))
  it('minds the order of lists', () => expect(isSame([1, 2], [2, 1])).toBe(false))
  it('tells nothing from null', () => expect(isSame(undefined, null)).toBe(false))
  it('tells true from 1 and "1" from 1', () => {
    expect([isSame(true, 1), isSame('1', 1)]).toEqual([false, false])
  })
})
