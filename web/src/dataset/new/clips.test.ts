import { expect, it } from 'vitest'
import { suggestKind, toVideo, USUAL_CLIPS } from './clips'

it.each([
  [0, 0, 'image'],
  [3, 3, 'image'],
  [1, 2, 'video'],
])('%d pictures and %d videos', (pictures, videos, kind) => expect(suggestKind(pictures, videos)).toBe(kind))

it.each([
  [{}, null],
  [{ numFrames: 81 }, { num_frames: 81 }],
  [{ minFrames: 17 }, null],
  [
    { isAsLong: true, minFrames: 17 },
    { min_frames: 17, bucket_strategy: 'resolution_frames' },
  ],
  [{ isAsLong: true }, { min_frames: 1, bucket_strategy: 'resolution_frames' }],
])('%j', (asked, video) => expect(toVideo({ ...USUAL_CLIPS, ...asked })).toEqual(video))
