import type { RunImage } from './view'

/** Validation images by prompt and step: the rows are the places of a step, the same prompt and seed at every step. */
export interface ImageGrid {
  steps: readonly number[]
  rows: readonly ImageRow[]
}

export interface ImageRow {
  index: number
  prompt: string
  seed: number
  width: number
  height: number
  byStep: ReadonlyMap<number, RunImage>
}

export function arrange(images: readonly RunImage[]): ImageGrid {
  const steps = [...new Set(images.map(({ step }) => step))].sort((one, other) => one - other)
  const places = [...new Set(images.map(({ index }) => index))].sort((one, other) => one - other)
  const rows = places.map((place) =>
    toRow(
      place,
      images.filter(({ index }) => index === place),
    ),
  )
  return { steps, rows }
}

/** The image one or more steps and rows away that exists; the same one at the border. */
export function neighbour(grid: ImageGrid, image: RunImage, stepsAway: number, rowsAway: number): RunImage {
  const rowAt = grid.rows.findIndex(({ index }) => index === image.index)
  const row = grid.rows[rowAt + rowsAway] ?? grid.rows[rowAt]
  const made = grid.steps.filter((step) => row?.byStep.has(step))
  const from = made.findLastIndex((step) => step <= image.step)
  const step = made[Math.max(from, 0) + stepsAway]
  return (step === undefined ? undefined : row?.byStep.get(step)) ?? image
}

/** The place of an image in the address of the page. */
export function toPlace(image: RunImage): string {
  return `${image.step}.${image.index}`
}

export function findAtPlace(images: readonly RunImage[], place: string): RunImage | undefined {
  return images.find((image) => toPlace(image) === place)
}

export function formatSize({ width, height }: { width: number; height: number }): string {
  return `${width} × ${height}`
}

/** Small pictures are pixel art to the eye: enlarge them with sharp pixels. */
export function isPixelArt(image: { width: number; height: number }): boolean {
  return Math.max(image.width, image.height) <= 128
}

export function isVideo(image: { numFrames: number }): boolean {
  return image.numFrames > 1
}

function toRow(index: number, images: readonly RunImage[]): ImageRow {
  const newest = images.at(-1)
  return {
    index,
    prompt: newest?.prompt ?? '',
    seed: newest?.seed ?? 0,
    width: newest?.width ?? 1,
    height: newest?.height ?? 1,
    byStep: new Map(images.map((image) => [image.step, image])),
  }
}
