import { expect, it } from 'vitest'
import { fromRows, newRow, toRows } from './namedTexts'

const cat = { name: 'cat', text: 'a cat' }

it('keeps the order, and a row that is still empty on the screen alone', () => {
  const entry = fromRows([{ name: 'dog', text: 'a dog' }, cat, { name: 'new', text: '' }])
  expect(JSON.stringify(entry.value)).toBe('{"dog":"a dog","cat":"a cat"}')
  expect(toRows(undefined, entry.text).map(({ name }) => name)).toEqual(['dog', 'cat', 'new'])
})

it('refuses two of one name and one without', () => {
  expect(fromRows([cat, { ...cat, name: 'cat ' }]).problem).toContain('cat')
  expect(fromRows([{ name: ' ', text: 'a dog' }])).not.toHaveProperty('value')
})

it('is the default again without any row', () => expect(fromRows([])).toEqual({}))

it('names another row by what is free', () => {
  const second = newRow([cat])
  expect(newRow([second]).name).not.toBe(second.name)
})

it('reads the value where nothing is typed', () => expect(toRows({ cat: 'a cat' }, undefined)).toEqual([cat]))
