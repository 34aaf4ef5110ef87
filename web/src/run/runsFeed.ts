import type { Client, CombinedError } from '@urql/core'
import { RunsChangedDocument, RunsDocument, type RunRowFragment, type RunsQuery } from '../graphql/generated/documents'
import type { LiveConnection } from '../graphql/live'
import { answer, ask, change, EMPTY_LIST, toRows } from './runList'

export interface RunsState {
  /** undefined until the first answer. */
  runs: readonly RunRowFragment[] | undefined
  totalCount: number
  hasMore: boolean
  error: CombinedError | undefined
}

const FIRST_PAGE = { first: 50 }
type Connection = RunsQuery['trainingRuns']

/** The runs, newest first, as they change; listed anew on each connection, since a break may have hidden changes. */
export class RunsFeed {
  readonly #client: Client
  readonly #live: LiveConnection
  readonly #listeners = new Set<() => void>()
  #list = EMPTY_LIST
  #first: Connection | undefined
  #older: readonly RunRowFragment[] = []
  #olderInfo: Connection['pageInfo'] | undefined
  #state: RunsState = { runs: undefined, totalCount: 0, hasMore: false, error: undefined }
  #stop: (() => void) | undefined

  constructor(client: Client, live: LiveConnection) {
    this.#client = client
    this.#live = live
    const cached = client.readQuery(RunsDocument, FIRST_PAGE)
    if (cached?.data) this.#take(cached.data.trainingRuns)
  }

  readonly getState = (): RunsState => this.#state

  /** The feed runs while somebody listens. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) this.#start()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#stop?.()
    }
  }

  readonly reload = async (): Promise<void> => {
    this.#list = ask(this.#list)
    const { data, error } = await this.#client.query(RunsDocument, FIRST_PAGE, { requestPolicy: 'network-only' })
    if (data) this.#take(data.trainingRuns)
    this.#publish(error)
  }

  readonly showMore = async (): Promise<void> => {
    const after = this.#lastInfo()?.endCursor
    const { data, error } = await this.#client.query(RunsDocument, { ...FIRST_PAGE, after })
    if (data) {
      this.#older = [...this.#older, ...data.trainingRuns.edges.map(({ node }) => node)]
      this.#olderInfo = data.trainingRuns.pageInfo
    }
    this.#publish(error)
  }

  #start(): void {
    const unfollow = this.#live.follow(RunsChangedDocument, () => ({}), {
      next: ({ runsChanged }) => {
        this.#list = change(this.#list, runsChanged)
        this.#publish(this.#state.error)
      },
    })
    const unlisten = this.#live.onStatus(() => {
      if (this.#live.status === 'live') void this.reload()
    })
    this.#stop = () => {
      unfollow()
      unlisten()
    }
    void this.reload()
  }

  #take(first: Connection): void {
    this.#first = first
    this.#list = answer(
      this.#list,
      first.edges.map(({ node }) => node),
    )
    this.#publish(undefined)
  }

  #lastInfo(): Connection['pageInfo'] | undefined {
    return this.#olderInfo ?? this.#first?.pageInfo
  }

  #publish(error: CombinedError | undefined): void {
    this.#state = {
      runs: this.#first && toRows(this.#list, this.#older),
      totalCount: this.#first?.totalCount ?? 0,
      hasMore: this.#lastInfo()?.hasNextPage ?? false,
      error,
    }
    for (const listener of this.#listeners) listener()
  }
}
