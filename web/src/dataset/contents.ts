import { createContext, use } from 'react'
import { messages } from '../app/messages'
import { isRecord } from '../environment/editor/values'
import type { Kind } from './new/clips'

/** What the dataset that is looked at holds. */
export const Contents = createContext<Kind>('image')

/** The words for what it holds. */
export function useContents() {
  return messages.contents[use(Contents)]
}

/** A dataset for evaluation holds videos where it says how long clips are. */
export function contentsOf({ kind, config }: { kind: string; config: unknown }): Kind {
  const isHeldOut = kind === 'eval' && isRecord(config) && config.video != null
  return kind === 'video' || isHeldOut ? 'video' : 'image'
}
