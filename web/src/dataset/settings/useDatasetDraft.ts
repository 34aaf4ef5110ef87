import { useCallback, useMemo, useState } from 'react'
import {
  contested,
  editOption,
  finished,
  keepMine,
  problemsOf,
  toChanges,
  withEdits,
  withoutDone,
  withoutEdits,
  type Config,
  type Edits,
} from '../../environment/editor/edits'
import { sortByOption, type Refusals } from '../../environment/editor/refusals'
import { bare, type Entry } from '../../environment/editor/values'
import { messages } from '../../app/messages'
import { UpdateDatasetDocument, type DatasetPartsFragment } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'

const words = messages.datasetSettings

export interface DatasetDraft {
  /** What is saved, and what would be. */
  saved: Config
  draft: Config
  edits: Edits
  /** Options that have no value yet, and those that others changed as well. */
  problems: string[]
  contested: string[]
  refusals: Refusals
  /** Why the last try to save did not work, beyond what is said at the options. */
  problem: string | null
  isBusy: boolean
  edit: (key: string, entry: Entry) => void
  finish: () => void
  discard: () => void
  settle: (key: string, whose: 'mine' | 'theirs') => void
  save: () => Promise<void>
}

/** A dataset's options with what is changed and not saved. */
export function useDatasetDraft(dataset: DatasetPartsFragment, refresh: () => void): DatasetDraft {
  const saved = useMemo(() => bare(dataset.config as Config), [dataset.config])
  const [kept, setKept] = useState<Edits>({})
  const [tried, setTried] = useState<Config>({})
  const edits = withoutDone(kept, saved)
  if (edits !== kept) setKept(edits)
  const update = useAction(UpdateDatasetDocument)
  const draft = useMemo(() => withEdits(saved, edits), [saved, edits])
  const refusals = useMemo(() => sortByOption(update.errors, tried), [update.errors, tried])
  const contestedKeys = contested(edits, saved)
  const isStale = update.errors.some(({ code }) => code === 'STALE_VERSION')

  const edit = useCallback(
    (key: string, entry: Entry) => setKept((before) => editOption(before, saved, key, entry)),
    [saved],
  )
  const finish = useCallback(() => setKept(finished), [])

  async function save() {
    const sent = finished(edits)
    setKept(sent)
    setTried(draft)
    const { set, unset } = toChanges(sent)
    const payload = await update.act({ id: dataset.id, expectedVersion: dataset.version, set, unset })
    if (payload === null) refresh()
  }

  function describeProblem(): string | null {
    if (isStale) return contestedKeys.length > 0 ? words.stale : words.raced
    if (update.errors.length > 0) return refusals.others.length > 0 ? refusals.others.join(' ') : null
    return update.problem
  }

  return {
    saved,
    draft,
    edits,
    problems: problemsOf(edits),
    contested: contestedKeys,
    refusals,
    problem: describeProblem(),
    isBusy: update.isBusy,
    edit,
    finish,
    discard: () => setKept({}),
    settle: (key, whose) =>
      setKept((before) => (whose === 'mine' ? keepMine(before, saved, [key]) : withoutEdits(before, [key]))),
    save,
  }
}
