import { toSentence } from '../../app/format'
import type { ErrorPartsFragment } from '../../graphql/generated/documents'
import { bare, isSame } from './values'
import type { Config } from './edits'

const WRAPPERS = ['input', 'config', 'set', 'unset']
const INPUTS: Record<string, string> = { datasetIds: 'datasets' }

/** What the service refused: at which options, and what belongs to none. tried: the configuration that was refused. */
export interface Refusals {
  byOption: Record<string, string>
  others: string[]
  tried: Config
}

/** Sort refusals to the options that their paths name, whatever the path is wrapped in. */
export function sortByOption(errors: readonly ErrorPartsFragment[], tried: Config): Refusals {
  const refusals: Refusals = { byOption: bare({}), others: [], tried }
  // That somebody was faster is no fault of an option; which ones both changed, the newest version tells.
  for (const error of errors.filter(({ code }) => code !== 'STALE_VERSION')) {
    const named = error.path.find((part) => !WRAPPERS.includes(part))
    const key = named === undefined ? undefined : (INPUTS[named] ?? named)
    const message = toSentence(error.message)
    if (key === undefined) refusals.others.push(message)
    else refusals.byOption[key] = [refusals.byOption[key], message].filter(Boolean).join(' ')
  }
  return refusals
}

/** What is still to be said of an option: nothing once it has another value than the one that was refused. */
export function refusalOf({ byOption, tried }: Refusals, key: string, draft: Config): string | undefined {
  return isSame(tried[key], draft[key]) ? byOption[key] : undefined
}
