import type { RunState } from '../graphql/generated/documents'

/** Something is alive or will be: it can be stopped. */
export function isActive(state: RunState): boolean {
  return ['REQUESTED', 'QUEUED', 'STARTING', 'RUNNING'].includes(state)
}

/** No trainer has been started yet. */
export function isWaiting(state: RunState): boolean {
  return ['REQUESTED', 'QUEUED'].includes(state)
}

export function hasEnded(state: RunState): boolean {
  return ['FINISHED', 'STOPPED', 'FAILED', 'LOST'].includes(state)
}

export const STATE_COLORS: Record<RunState, string> = {
  REQUESTED: 'gray',
  QUEUED: 'gray',
  STARTING: 'blue',
  RUNNING: 'brand',
  STOPPING: 'orange',
  FINISHED: 'teal',
  STOPPED: 'gray',
  FAILED: 'red',
  LOST: 'red',
}
