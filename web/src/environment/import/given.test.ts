import { expect, it } from 'vitest'
import { NOTHING_GIVEN, splitMapped, toInput, withFiles } from './given'

it('asks for nothing while nothing is given', () =>
  expect(
    (['paste', 'files', 'path'] as const).map((way) => toInput({ ...NOTHING_GIVEN, way, text: ' ', path: ' ' })),
  ).toEqual([null, null, null]))

it('asks for one of text, files and path', () => {
  const given = { ...NOTHING_GIVEN, text: '{}', path: ' /data/old ', format: 'kohya' }
  expect(toInput(given)).toEqual({ format: 'kohya', files: [{ name: 'pasted', content: '{}' }] })
  expect(toInput({ ...given, way: 'path' })).toEqual({ format: 'kohya', path: '/data/old' })
})

it('lets a file take the place of one of the same name', () =>
  expect(
    withFiles(
      [
        { name: 'a', content: '1' },
        { name: 'b', content: '1' },
      ],
      [{ name: 'a', content: '2' }],
    ),
  ).toEqual([
    { name: 'b', content: '1' },
    { name: 'a', content: '2' },
  ]))

it('tells keys of the file from what its tool takes for granted', () => {
  const found = { key: 'lr', target: 'learning_rate', value: 1, note: '' }
  const assumed = { ...found, key: null }
  expect(splitMapped([found, assumed])).toEqual({ fromFile: [found], defaults: [assumed] })
})
