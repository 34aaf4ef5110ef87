import { messages } from '../../app/messages'
import type { ImageProblem } from '../../graphql/generated/documents'

/** What cannot be used at all, what is left out, and what is only to be looked at. */
export type Weight = 'unusable' | 'leftOut' | 'remark'

const WEIGHTS: Record<ImageProblem, Weight> = {
  NOT_A_PICTURE: 'unusable',
  TRUNCATED: 'unusable',
  BROKEN: 'unusable',
  TOO_LARGE: 'unusable',
  UNREADABLE: 'unusable',
  OUTSIDE: 'unusable',
  TIMED_OUT: 'unusable',
  CRASHED: 'unusable',
  LEFT_OUT_TOO_SMALL: 'leftOut',
  LEFT_OUT_ASPECT: 'leftOut',
  LEFT_OUT_TOO_SHORT: 'leftOut',
  LEFT_OUT_TOO_LONG: 'leftOut',
  EXCLUDED: 'leftOut',
  NO_CAPTION: 'remark',
  DUPLICATE: 'remark',
  ANIMATED: 'remark',
  EXTREME_RATIO: 'remark',
}

const COLORS: Record<Weight, string> = { unusable: 'red', leftOut: 'orange', remark: 'yellow' }

export function isProblem(text: string): text is ImageProblem {
  return Object.hasOwn(WEIGHTS, text)
}

export function colorOf(problem: ImageProblem): string {
  return problem === 'EXCLUDED' ? 'gray' : COLORS[WEIGHTS[problem]]
}

export function labelOf(problem: ImageProblem): string {
  return messages.pictures.problems[problem]
}

/** A file that is no picture that could be shown. */
export function isUnusable(problems: readonly ImageProblem[]): boolean {
  return problems.some((problem) => WEIGHTS[problem] === 'unusable')
}
