import { useCallback, useEffect, useMemo, useState } from 'react'
import { messages } from '../../app/messages'
import { UpdateEnvironmentDocument, type EnvironmentPartsFragment } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useViewer } from '../../user/viewer'
import {
  contested,
  DATASETS,
  editOption,
  editOptions,
  finished,
  keepMine,
  problemsOf,
  readEdits,
  toChanges,
  withEdits,
  withoutDone,
  withoutEdits,
  type Config,
  type Edits,
} from './edits'
import { sortByOption, type Refusals } from './refusals'
import { bare, type Entry } from './values'

export type Environment = EnvironmentPartsFragment
export type LastChange = Environment['lastChanges'][number]

export interface Draft {
  /** The newest that is known. */
  environment: Environment
  /** What is saved, with the datasets among the options. */
  saved: Config
  /** What would be saved. */
  draft: Config
  edits: Edits
  /** Options that have no value yet. */
  problems: string[]
  /** Options that others changed as well. */
  contested: string[]
  refusals: Refusals
  /** Why the last try to save did not work, beyond what is said at the options. */
  problem: string | null
  /** The last try to save found that somebody else had saved the same options. */
  isRaced: boolean
  /** What others changed since the page was opened or told so. */
  news: LastChange[]
  isBusy: boolean
  edit: (key: string, entry: Entry) => void
  editAll: (values: Config) => void
  /** What was typed is done: show it as the value that it is. */
  finish: () => void
  replace: (change: (edits: Edits, saved: Config) => Edits) => void
  revert: (keys: readonly string[]) => void
  /** Keep one's own value of some contested options, and take those of the others for the rest. */
  settle: (mine: readonly string[]) => void
  dismissNews: () => void
  /** Take in what one saved beside the form, which replaces unsaved changes of the same options. */
  adopt: (newest: Environment, keys: readonly string[]) => void
  /** True once it is saved. */
  save: () => Promise<boolean>
}

/** An environment with what is changed and not saved; the changes outlive the page in this tab. */
export function useDraft(queried: Environment, refresh: () => void): Draft {
  const { user } = useViewer()
  const [answered, setAnswered] = useState(queried)
  const environment = answered.version > queried.version ? answered : queried
  const saved = useMemo(() => toConfig(environment), [environment])
  const [kept, setKept] = useKeptEdits(`unsaved:${user.id}:${environment.id}`)
  const edits = withoutDone(kept, saved)
  if (edits !== kept) setKept(edits)
  const [tried, setTried] = useState<Config>({})
  const [seen, setSeen] = useState<{ version: number; own: readonly number[] }>({ version: queried.version, own: [] })
  const update = useAction(UpdateEnvironmentDocument)
  const draft = useMemo(() => withEdits(saved, edits), [saved, edits])
  const refusals = useMemo(() => sortByOption(update.errors, tried), [update.errors, tried])
  const contestedKeys = contested(edits, saved)
  const isRaced = update.errors.some(({ code }) => code === 'STALE_VERSION')

  const replace = useCallback(
    (change: (edits: Edits, saved: Config) => Edits) => setKept((before) => change(before, saved)),
    [saved, setKept],
  )
  const edit = useCallback(
    (key: string, entry: Entry) => setKept((before) => editOption(before, saved, key, entry)),
    [saved, setKept],
  )
  const finish = useCallback(() => setKept(finished), [setKept])

  async function save(): Promise<boolean> {
    const { id, version } = environment
    const sent = finished(edits)
    setKept(sent)
    setTried(draft)
    const payload = await update.act({ id, expectedVersion: version, ...toChanges(sent) })
    if (!payload?.environment) {
      refresh()
      return false
    }
    const newest = payload.environment
    accept(newest)
    // What was typed in the meantime was typed over one's own values.
    setKept((before) => keepMine(before, toConfig(newest), Object.keys(sent)))
    return true
  }

  function accept(newest: Environment) {
    setAnswered(newest)
    setSeen((before) => ({ ...before, own: [...before.own, newest.version] }))
  }

  return {
    environment,
    saved,
    draft,
    edits,
    problems: problemsOf(edits),
    contested: contestedKeys,
    refusals,
    problem: isRaced ? describeRace(contestedKeys) : update.errors.length > 0 ? othersOf(refusals) : update.problem,
    news: environment.lastChanges.filter(
      ({ version: { number } }) => number > seen.version && !seen.own.includes(number),
    ),
    isRaced,
    isBusy: update.isBusy,
    edit,
    editAll: (values) => replace((before) => editOptions(before, saved, values)),
    finish,
    replace,
    revert: (keys) => replace((before) => withoutEdits(before, keys)),
    settle: (mine) =>
      replace((before) => {
        const theirs = contested(before, saved).filter((key) => !mine.includes(key))
        return keepMine(withoutEdits(before, theirs), saved, mine)
      }),
    adopt: (newest, keys) => {
      accept(newest)
      setKept((before) => withoutEdits(before, keys))
    },
    dismissNews: () => setSeen((before) => ({ ...before, version: environment.version })),
    save,
  }
}

export function toConfig({ config, datasets }: Pick<Environment, 'config' | 'datasets'>): Config {
  return bare({ ...(config as Config), [DATASETS]: datasets.map(({ id }) => id) })
}

/** Two people saved; which options both changed is known as soon as the newest version is. */
function describeRace(contestedKeys: readonly string[]): string | null {
  return contestedKeys.length > 0 ? null : messages.editor.raced
}

function othersOf({ others }: Refusals): string | null {
  return others.length > 0 ? others.join(' ') : null
}

/** Edits that survive leaving the page, loading it again and going back, until they are saved or discarded; a person's own. */
function useKeptEdits(place: string) {
  const [found] = useState(() => readEdits(sessionStorage.getItem(place)))
  const [edits, setEdits] = useState<Edits>(found ?? {})
  useEffect(() => {
    if (Object.keys(edits).length > 0) sessionStorage.setItem(place, JSON.stringify(edits))
    else sessionStorage.removeItem(place)
  }, [place, edits])
  return [edits, setEdits] as const
}
