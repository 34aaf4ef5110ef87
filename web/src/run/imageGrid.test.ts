import { expect, it } from 'vitest'
import { arrange, findAtPlace, isPixelArt, neighbour, toPlace } from './imageGrid'
import type { RunImage } from './view'

const image = (step: number, index: number): RunImage => ({
  id: `${step}-${index}`,
  step,
  index,
  prompt: `prompt ${index}`,
  seed: 7,
  url: '',
  thumbnailUrl: '',
  width: 64,
  height: 64,
  numFrames: 1,
  durationSeconds: null,
})

const images = [image(0, 0), image(0, 1), image(10, 0), image(10, 1), image(20, 0)]
const grid = arrange(images)

it('has a column for each step and a row for each prompt', () => {
  expect(grid.steps).toEqual([0, 10, 20])
  expect(grid.rows.map(({ prompt }) => prompt)).toEqual(['prompt 0', 'prompt 1'])
})

it('has a hole where an image is not made yet', () => {
  expect(grid.rows.map(({ byStep }) => byStep.get(20)?.id)).toEqual(['20-0', undefined])
})

it('moves to what exists and stays at the border', () => {
  const move = (step: number, index: number, steps: number, rows: number) =>
    neighbour(grid, image(step, index), steps, rows).id
  expect(move(10, 0, 1, 0)).toBe('20-0')
  expect(move(20, 0, 1, 0)).toBe('20-0')
  expect(move(0, 0, -1, 0)).toBe('0-0')
  expect(move(20, 0, 0, 1)).toBe('10-1')
  expect(move(10, 0, 0, -1)).toBe('10-0')
})

it('finds an image by its place', () => {
  expect(findAtPlace(images, toPlace(image(10, 1)))?.id).toBe('10-1')
  expect(findAtPlace(images, 'x')).toBeUndefined()
})

it('enlarges only small pictures with sharp pixels', () => {
  expect([isPixelArt({ width: 64, height: 64 }), isPixelArt({ width: 512, height: 64 })]).toEqual([true, false])
})
