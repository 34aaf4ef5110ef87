import { clampShare } from '../../app/format'
import type { PreflightPartsFragment, ProblemSeverity } from '../../graphql/generated/documents'

export type Preflight = PreflightPartsFragment
export type Problem = Preflight['problems'][number]
export type Bucket = Preflight['buckets'][number]

/** A way out of a problem: a change of the environment or of a dataset, as their updates take it. */
export interface Suggestion {
  label: string
  target: 'environment' | 'dataset'
  id: string
  expectedVersion: number
  set: Record<string, unknown>
  unset: string[]
}

export type Verdict = 'blocked' | 'look' | 'ready'

const SEVERITIES: readonly ProblemSeverity[] = ['ERROR', 'WARNING', 'INFO']
const MOST_OPEN_BUCKETS = 8

/** Whether a run can start, and whether somebody should look before. */
export function verdictOf({ ok, problems, memory }: Preflight): Verdict {
  if (!ok) return 'blocked'
  return memory?.fits === false || problems.some(({ severity }) => severity === 'WARNING') ? 'look' : 'ready'
}

/** The problems by how much they matter, the worst first; severities without any are left out. */
export function bySeverity(problems: readonly Problem[]): { severity: ProblemSeverity; problems: Problem[] }[] {
  return SEVERITIES.map((severity) => ({
    severity,
    problems: problems.filter((problem) => problem.severity === severity),
  })).filter((group) => group.problems.length > 0)
}

export function suggestionsOf(problem: Problem): Suggestion[] {
  return problem.suggestions as Suggestion[]
}

/** What the update of a suggestion's target takes. */
export function toInput({ id, expectedVersion, set, unset }: Suggestion) {
  return { id, expectedVersion, set, unset }
}

export function keysOf({ set, unset }: Suggestion): string[] {
  return [...Object.keys(set), ...unset]
}

/** A number of bytes beside others in the same bar's width. */
export interface Bar {
  /** 0 to 1 of the widest there is. */
  share: number
  isTooLarge: boolean
}

/** Needs against what there is; null where nobody knows that. All bars of one call have the same scale. */
export function toBars(needs: readonly number[], available: number | null): Bar[] {
  const widest = Math.max(available ?? 0, ...needs)
  return needs.map((bytes) => ({
    share: widest > 0 ? clampShare(bytes / widest) : 0,
    isTooLarge: available !== null && bytes > available,
  }))
}

/** Those that cannot fill a batch first, otherwise as they came. */
export function sortBuckets(buckets: readonly Bucket[]): Bucket[] {
  return buckets.toSorted((one, other) => Number(one.usable) - Number(other.usable))
}

export function isOpenAtFirst(buckets: readonly Bucket[]): boolean {
  return buckets.length <= MOST_OPEN_BUCKETS
}
