import type { Client } from '@urql/core'
import { describeFailure } from '../graphql/errors'
import { RunBestDocument, RunDocument, RunUpdatesDocument } from '../graphql/generated/documents'
import type { LiveConnection } from '../graphql/live'
import { changesCheckpoints, mergeUpdate, toView, type RunUpdate, type RunView } from './view'

export type FeedState =
  { kind: 'loading' } | { kind: 'missing' } | { kind: 'failed'; message: string } | { kind: 'ready'; view: RunView }

const POINTS_OF_SNAPSHOT = 2_000
const RETRY_AFTER_MS = 4_000

/**
 * One run as it is now: a snapshot, then everything after its cursor. Breaks of the connection leave no gap and no
 * repeat, since each connection asks for what came after the newest cursor.
 */
export class RunFeed {
  readonly #client: Client
  readonly #live: LiveConnection
  readonly #runId: string
  readonly #listeners = new Set<() => void>()
  #state: FeedState = { kind: 'loading' }
  #unfollow: (() => void) | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  /** Which snapshot is awaited; an answer to an earlier question is dropped. */
  #attempt = 0

  constructor(client: Client, live: LiveConnection, runId: string) {
    this.#client = client
    this.#live = live
    this.#runId = runId
  }

  readonly getState = (): FeedState => this.#state

  /** The feed runs while somebody listens. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) void this.reload()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#stop()
    }
  }

  /** Take a fresh snapshot and follow from there; what is shown stays until it is here. */
  readonly reload = async (): Promise<void> => {
    this.#stop()
    const attempt = this.#attempt
    const variables = { id: this.#runId, maxPoints: POINTS_OF_SNAPSHOT }
    const { data, error } = await this.#client.query(RunDocument, variables, { requestPolicy: 'network-only' })
    if (attempt !== this.#attempt) return
    if (data?.trainingRun) {
      this.#set({ kind: 'ready', view: toView(data.trainingRun) })
      this.#follow()
    } else if (error) {
      if (this.#state.kind !== 'ready') this.#set({ kind: 'failed', message: describeFailure(error) })
      this.#retry = setTimeout(() => void this.reload(), RETRY_AFTER_MS)
    } else {
      this.#set({ kind: 'missing' })
    }
  }

  #follow(): void {
    this.#unfollow = this.#live.follow(
      RunUpdatesDocument,
      () => ({ runId: this.#runId, after: this.#state.kind === 'ready' ? this.#state.view.cursor : null }),
      { next: ({ runUpdates }) => this.#merge(runUpdates), refused: () => this.#scheduleReload() },
    )
  }

  #merge(update: RunUpdate): void {
    if (this.#state.kind !== 'ready') return
    this.#set({ kind: 'ready', view: mergeUpdate(this.#state.view, update) })
    if (changesCheckpoints(update)) void this.#refreshBest()
  }

  /** Which checkpoint is the best depends on all of them, so no update tells it. */
  async #refreshBest(): Promise<void> {
    const attempt = this.#attempt
    const { data } = await this.#client.query(RunBestDocument, { id: this.#runId }, { requestPolicy: 'network-only' })
    if (attempt !== this.#attempt || this.#state.kind !== 'ready' || !data?.trainingRun) return
    this.#set({ kind: 'ready', view: { ...this.#state.view, bestStep: data.trainingRun.bestStep } })
  }

  /** The service knows this cursor no more, or refused for another reason: start from a snapshot again. */
  #scheduleReload(): void {
    this.#unfollow?.()
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.reload(), RETRY_AFTER_MS)
  }

  #stop(): void {
    this.#attempt += 1
    clearTimeout(this.#retry)
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  #set(state: FeedState): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}
