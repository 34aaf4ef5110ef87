export const KINDS = ['image', 'video'] as const
export type Kind = (typeof KINDS)[number]

/** What is asked of clips; null and false leave it to the service. */
export interface Clips {
  /** Of a clip. */
  numFrames: number | null
  /** Of the shortest video that is used, where shorter ones are; null for any. */
  minFrames: number | null
  /** Shorter videos give clips as long as they are. */
  isAsLong: boolean
}

export const USUAL_CLIPS: Clips = { numFrames: null, minFrames: null, isAsLong: false }

/** Videos where there are more of them than pictures. */
export function suggestKind(numPictures: number, numVideos: number): Kind {
  return numVideos > numPictures ? 'video' : 'image'
}

/** The block `video` of a dataset; null where nothing is asked. */
export function toVideo({ numFrames, minFrames, isAsLong }: Clips): Record<string, number | string> | null {
  const video = {
    ...(numFrames !== null && { num_frames: numFrames }),
    // Without the first, videos that are shorter than a clip would be left out all the same.
    ...(isAsLong && { min_frames: minFrames ?? 1, bucket_strategy: 'resolution_frames' }),
  }
  return Object.keys(video).length === 0 ? null : video
}
