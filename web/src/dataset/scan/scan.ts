import { formatCount, formatPercent } from '../../app/format'
import { messages } from '../../app/messages'
import type { ScanPartsFragment } from '../../graphql/generated/documents'

export type Scan = ScanPartsFragment

const words = messages.scan

export function isUnderWay(scan: Pick<Scan, 'state'> | null): boolean {
  return scan !== null && scan.state !== 'FINISHED' && scan.state !== 'FAILED'
}

/** 0 to 1; nothing is known of the whole before all pictures are listed. */
export function shareOf({ state, numDone, numTotal }: Pick<Scan, 'state' | 'numDone' | 'numTotal'>): number {
  if (state === 'FINISHED') return 1
  return state === 'WAITING' || state === 'LISTING' || numTotal === 0 ? 0 : numDone / numTotal
}

/** In a word or two, with the share while that says something. */
export function describeScan(scan: Scan | null): string {
  if (scan === null) return words.never
  const share = shareOf(scan)
  const state = words.states[scan.state]
  return isUnderWay(scan) && share > 0 ? `${state}, ${formatPercent(share)}` : state
}

/** How many pictures are done, once there are any. */
export function describeDone({ numDone, numTotal }: Pick<Scan, 'numDone' | 'numTotal'>): string | null {
  return numTotal === 0 ? null : words.done(formatCount(numDone), formatCount(numTotal))
}
