import type { DatasetImageFilter, ImageProblem } from '../../graphql/generated/documents'
import { isProblem } from './problems'

const BUCKET = /^(\d{1,6})x(\d{1,6})(?:x(\d{1,6}))?$/

export interface PictureFilter {
  problem: ImageProblem | null
  /** As in the address: 512x768, or with the frames of clips 512x768x81. */
  bucket: string | null
  caption: string
  path: string
  /** The id of a picture whose copies are looked for. */
  sameAs: string | null
}

export const NO_FILTER: PictureFilter = { problem: null, bucket: null, caption: '', path: '', sameAs: null }

/** What the address says of which pictures are shown; what is no filter there counts as none. */
export function readFilter(parameters: URLSearchParams): PictureFilter {
  const problem = parameters.get('problem')
  const bucket = parameters.get('bucket')
  return {
    problem: problem !== null && isProblem(problem) ? problem : null,
    bucket: bucket !== null && BUCKET.test(bucket) ? bucket : null,
    caption: parameters.get('caption') ?? '',
    path: parameters.get('path') ?? '',
    sameAs: parameters.get('sameAs'),
  }
}

/** As the service wants it; null for all pictures. */
export function toInput({ problem, bucket, caption, path, sameAs }: PictureFilter): DatasetImageFilter | null {
  const size = bucket === null ? null : BUCKET.exec(bucket)
  const input: DatasetImageFilter = {
    ...(problem && { problem }),
    ...(size && { bucket: { width: Number(size[1]), height: Number(size[2]), numFrames: Number(size[3] ?? 1) } }),
    ...(caption !== '' && { caption }),
    ...(path !== '' && { path }),
    ...(sameAs !== null && { sameAs }),
  }
  return Object.keys(input).length === 0 ? null : input
}

export interface Bucket {
  width: number
  height: number
  numFrames: number
}

export function toBucket({ width, height, numFrames }: Bucket): string {
  return numFrames === 1 ? `${width}x${height}` : `${width}x${height}x${numFrames}`
}
