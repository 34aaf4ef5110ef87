import { expect, it } from 'vitest'
import { isPlain, outcomeOf, progressOf } from './progress'
import type { Item, Report } from './uploadQueue'

const REPORT: Report = { numAdded: 1, numDuplicates: 0, numRenamed: 0, renamed: [], numSkipped: 0, skipped: [] }

function item(name: string, changed: Partial<Item> = {}): Item {
  const picked = { file: new File(['x'.repeat(100)], name), folder: '' }
  return { picked, state: 'waiting', sentBytes: 0, unpacked: 0, problem: null, report: null, ...changed }
}

const DONE = item('a.png', { state: 'done', sentBytes: 100, report: REPORT })
const REFUSED = item('b.png', { state: 'refused', sentBytes: 100, problem: 'is no picture' })

it('is done when every file has ended, one way or the other', () => {
  expect(progressOf([DONE, REFUSED])).toMatchObject({ numEnded: 2, sentBytes: 200, share: 1, isDone: true })
  expect(progressOf([DONE, item('c.png')])).toMatchObject({ numEnded: 1, share: 0.5, isDone: false })
})

it('is never done while an archive is unpacked', () => {
  const unpacking = item('c.zip', { state: 'unpacking', sentBytes: 100, unpacked: 0.5 })
  expect(progressOf([unpacking])).toMatchObject({ share: 0.75, isDone: false })
})

it('puts together what became of all files', () => {
  const renamed = [{ name: 'a.png', newName: 'a-2.png' }]
  const outcome = outcomeOf([
    DONE,
    item('c.zip', { state: 'done', report: { ...REPORT, numRenamed: 1, renamed } }),
    REFUSED,
  ])
  expect(outcome).toMatchObject({
    numAdded: 2,
    numRenamed: 1,
    renamed,
    refused: [{ name: 'b.png', reason: 'is no picture' }],
  })
  expect(isPlain(outcome)).toBe(false)
  expect(isPlain(outcomeOf([DONE]))).toBe(true)
})

it('is not plain when nothing came of it', () => expect(isPlain(outcomeOf([]))).toBe(false))
