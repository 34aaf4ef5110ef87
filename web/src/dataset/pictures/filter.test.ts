import { expect, it } from 'vitest'
import { readFilter, toBucket, toInput } from './filter'

const inputOf = (address: string) => toInput(readFilter(new URLSearchParams(address)))

it.each([
  ['', null],
  ['problem=NO_CAPTION', { problem: 'NO_CAPTION' }],
  ['problem=NO_SUCH&bucket=5-5', null],
  ['bucket=512x768&path=cats/', { bucket: { width: 512, height: 768, numFrames: 1 }, path: 'cats/' }],
  ['caption=grey&picture=abc', { caption: 'grey' }],
  ['sameAs=abc', { sameAs: 'abc' }],
])('%s', (address, input) => expect(inputOf(address)).toEqual(input))

it.each([1, 81])('reads the sizes with %d frames that it writes', (numFrames) => {
  const bucket = { width: 64, height: 128, numFrames }
  expect(inputOf(`bucket=${toBucket(bucket)}`)).toEqual({ bucket })
})
