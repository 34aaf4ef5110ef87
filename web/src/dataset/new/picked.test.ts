import { describe, expect, it } from 'vitest'
import { nameOf, sendable, sortOf, tally, withoutOutermost, type Picked } from './picked'

function picked(...paths: string[]): Picked[] {
  return paths.map((path) => {
    const parts = path.split('/')
    return { file: new File(['12345'], parts.at(-1) ?? ''), folder: parts.slice(0, -1).join('/') }
  })
}

it.each([
  ['cat.JPG', 'picture'],
  ['cat.tiff', 'picture'],
  ['cat.MP4', 'video'],
  ['cat.txt', 'text'],
  ['metadata.jsonl', 'text'],
  ['cats.zip', 'archive'],
  ['.hidden.png', 'other'],
  ['notes.docx', 'other'],
])('%s', (name, sort) => expect(sortOf(name)).toBe(sort))

it('counts what would be sent', () => {
  const all = picked('a.png', 'a.txt', 'b.zip', 'c.mkv', 'Thumbs.db')
  expect(tally(all)).toEqual({ picture: 1, video: 1, text: 1, archive: 1, other: 1, bytes: 20 })
})

it('sends what the service takes, by name', () => {
  const names = sendable(picked('10.png', '9.png', 'Thumbs.db', 'b.zip')).map(({ file }) => file.name)
  expect(names).toEqual(['9.png', '10.png', 'b.zip'])
})

describe('nameOf', () => {
  it.each([
    [['cats/a.png', 'cats/grey/b.png'], 'cats'],
    [['cats/a.png', 'dogs/b.png'], null],
    [['cats/a.png', 'b.png'], null],
    [['my cats.zip'], 'my cats'],
    [['a.png'], null],
    [[], null],
  ])('%j', (paths, name) => expect(nameOf(picked(...paths))).toBe(name))
})

it('takes the folder around all away, and no other', () => {
  const folders = (...paths: string[]) => withoutOutermost(picked(...paths)).map(({ folder }) => folder)
  expect(folders('cats/a.png', 'cats/grey/b.png')).toEqual(['', 'grey'])
  expect(folders('cats/a.png', 'dogs/b.png')).toEqual(['cats', 'dogs'])
  expect(folders('cats.zip')).toEqual([''])
})
