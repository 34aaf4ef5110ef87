import { DetailedError, Upload } from 'tus-js-client'
import type { UploadQuery } from '../../graphql/generated/documents'
import { sortOf, type Picked } from './picked'

export type ItemState = 'waiting' | 'sending' | 'unpacking' | 'done' | 'refused'
export type Report = NonNullable<NonNullable<UploadQuery['upload']>['report']>

export interface Item {
  picked: Picked
  state: ItemState
  sentBytes: number
  /** Of unpacking, 0 to 1. */
  unpacked: number
  problem: string | null
  report: Report | null
}

export interface QueueState {
  items: readonly Item[]
  isPaused: boolean
  /** The service did not answer; it is asked again by itself. */
  isLost: boolean
}

/** What the service says of a file that it is offered. */
export type Begun = { kind: 'begun'; id: string; url: string } | { kind: 'refused'; problem: string } | { kind: 'lost' }
/** How far the service is with what it has received. */
export type Told =
  | { kind: 'unpacking'; progress: number }
  | { kind: 'done'; report: Report | null }
  | { kind: 'refused'; problem: string }
  | { kind: 'lost' }

export interface Service {
  begin: (picked: Picked, isArchive: boolean, idempotencyKey: string) => Promise<Begun>
  look: (id: string) => Promise<Told>
  createKey: () => string
}

const AT_ONCE = 3
const TELL_EVERY_MS = 100
const LOOK_EVERY_MS = 500
const TRY_AGAIN_AFTER_MS = 3_000
const RETRY_DELAYS_MS = [0, 500, 1_500]
const CHUNK_BYTES = 32 * 1024 * 1024
const HEADERS = { 'X-Requested-With': 'simpletuner' }

/** What belongs to an item beside what is shown of it. */
interface Work {
  key: string
  id?: string
  upload?: Upload
}

/** Files on their way, some at once. What the connection loses goes on from where it was. */
export class UploadQueue {
  readonly #service: Service
  readonly #listeners = new Set<() => void>()
  readonly #work: Work[]
  #state: QueueState
  #told: QueueState
  #isOver = false
  #tellTimer: ReturnType<typeof setTimeout> | undefined
  #retryTimer: ReturnType<typeof setTimeout> | undefined

  constructor(service: Service, picked: readonly Picked[]) {
    this.#service = service
    this.#work = picked.map(() => ({ key: service.createKey() }))
    const items = picked.map((each) => ({
      picked: each,
      state: 'waiting' as const,
      sentBytes: 0,
      unpacked: 0,
      problem: null,
      report: null,
    }))
    this.#state = { items, isPaused: false, isLost: false }
    this.#told = this.#state
  }

  readonly getState = (): QueueState => this.#told

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Send whatever waits. */
  start(): void {
    if (this.#isOver || this.#state.isPaused) return
    clearTimeout(this.#retryTimer)
    const { items } = this.#state
    const numBusy = items.filter(({ state }) => state === 'sending' || state === 'unpacking').length
    const waiting = items.flatMap(({ state }, place) => (state === 'waiting' ? [place] : []))
    for (const place of waiting.slice(0, Math.max(0, AT_ONCE - numBusy))) void this.#send(place)
  }

  pause(): void {
    this.#set({ isPaused: true })
    this.#state.items.forEach(({ state }, place) => {
      if (state !== 'sending') return
      void this.#work[place]?.upload?.abort()
      this.#change(place, { state: 'waiting' })
    })
  }

  resume(): void {
    this.#set({ isPaused: false, isLost: false })
    this.start()
  }

  /** Stop for good; what is received stays where it is. */
  cancel(): void {
    this.#isOver = true
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#tellTimer)
    for (const { upload } of this.#work) void upload?.abort()
  }

  async #send(place: number): Promise<void> {
    const work = this.#work[place]
    const item = this.#state.items[place]
    if (!work || !item) return
    this.#change(place, { state: 'sending' })
    if (work.upload) {
      work.upload.start()
      return
    }
    const isArchive = sortOf(item.picked.file.name) === 'archive'
    const begun = await this.#service.begin(item.picked, isArchive, work.key)
    if (this.#isOver) return
    if (begun.kind === 'lost') this.#lose(place)
    else if (begun.kind === 'refused') this.#end(place, { state: 'refused', problem: begun.problem })
    else {
      work.id = begun.id
      work.upload = this.#createUpload(place, begun.url, item.picked.file)
      if (this.#state.isPaused) this.#change(place, { state: 'waiting' })
      else work.upload.start()
    }
  }

  #createUpload(place: number, url: string, file: File): Upload {
    return new Upload(file, {
      uploadUrl: url,
      headers: HEADERS,
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      storeFingerprintForResuming: false,
      onProgress: (sentBytes) => {
        if (this.#state.isLost) this.#set({ isLost: false })
        this.#change(place, { sentBytes })
      },
      onSuccess: () => void this.#look(place),
      onError: (error) => {
        const problem = refusalOf(error)
        if (problem === null) this.#lose(place)
        else this.#end(place, { state: 'refused', problem })
      },
    })
  }

  /** Everything is sent; the service may still have to unpack it. */
  async #look(place: number): Promise<void> {
    const id = this.#work[place]?.id
    if (id === undefined || this.#isOver) return
    const told = await this.#service.look(id)
    if (told.kind === 'done') this.#end(place, { state: 'done', report: told.report })
    else if (told.kind === 'refused') this.#end(place, { state: 'refused', problem: told.problem })
    else {
      if (told.kind === 'unpacking') this.#change(place, { state: 'unpacking', unpacked: told.progress })
      this.#set({ isLost: told.kind === 'lost' })
      setTimeout(() => void this.#look(place), told.kind === 'lost' ? TRY_AGAIN_AFTER_MS : LOOK_EVERY_MS)
    }
  }

  #end(place: number, changed: Partial<Item>): void {
    this.#set({ isLost: false })
    this.#change(place, { ...changed, sentBytes: this.#state.items[place]?.picked.file.size ?? 0 })
    this.start()
  }

  #lose(place: number): void {
    this.#change(place, { state: 'waiting' })
    this.#set({ isLost: true })
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => this.start(), TRY_AGAIN_AFTER_MS)
  }

  #change(place: number, changed: Partial<Item>): void {
    const items = this.#state.items.map((item, each) => (each === place ? { ...item, ...changed } : item))
    this.#set({ items })
  }

  /** Listeners are told a few times a second, however much is sent. */
  #set(changed: Partial<QueueState>): void {
    this.#state = { ...this.#state, ...changed }
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = undefined
      this.#told = this.#state
      for (const listener of this.#listeners) listener()
    }, TELL_EVERY_MS)
  }
}

/** Why the service does not take a file; null when it did not answer, or not in earnest. */
function refusalOf(error: Error | DetailedError): string | null {
  const response = error instanceof DetailedError ? error.originalResponse : null
  if (!response || response.getStatus() >= 500 || response.getStatus() === 0) return null
  try {
    const body = JSON.parse(response.getBody()) as { errors?: { message?: string }[] }
    return body.errors?.[0]?.message ?? error.message
  } catch {
    return error.message
  }
}
