import { expect, it } from 'vitest'
import { readFilter, toBucket, toInput } from './filter'

const inputOf = (address: string) => toInput(readFilter(new URLSearchParams(address)))

it.each([
  ['', null],
  ['problem=NO_CAPTION', { problem: 'NO_CAPTION' }],
  ['problem=NO_SUCH&bucket=5-5', null],
  ['bucket=512x768&path=cats/', { bucket: { width: 512, height: 768 }, path: 'cats/' }],
  ['caption=grey&picture=abc', { caption: 'grey' }],
  ['sameAs=abc', { sameAs: 'abc' }],
])('%s', (address, input) => expect(inputOf(address)).toEqual(input))

it('reads the sizes that it writes', () => {
  expect(inputOf(`bucket=${toBucket({ width: 64, height: 128 })}`)).toEqual({ bucket: { width: 64, height: 128 } })
})
