import type { Strategy } from './CaptionSource'
import { sortOf } from './picked'

/** Where captions most likely are, by the names of files: without text files beside them, one prompt serves all pictures. */
export function suggestStrategy(names: readonly string[]): Strategy {
  const sorts = new Set(names.map(sortOf))
  const hasSome = sorts.has('picture') || sorts.has('video')
  return hasSome && !sorts.has('text') && !sorts.has('archive') ? 'instanceprompt' : 'textfile'
}
