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
  readonly #items: Item[]
  readonly #work: Work[]
  /** Places of files that nothing is done about yet, in their order. */
  readonly #waiting: number[]
  readonly #busy = new Set<number>()
  #isPaused = false
  #isLost = false
  #isOver = false
  #told: QueueState
  #tellTimer: ReturnType<typeof setTimeout> | undefined
  #retryTimer: ReturnType<typeof setTimeout> | undefined

  constructor(service: Service, picked: readonly Picked[]) {
    this.#service = service
    this.#work = picked.map(() => ({ key: service.createKey() }))
    this.#waiting = picked.map((_, place) => place)
    this.#items = picked.map((each) => ({
      picked: each,
      state: 'waiting',
      sentBytes: 0,
      unpacked: 0,
      problem: null,
      report: null,
    }))
    this.#told = this.#snapshot()
  }

  readonly getState = (): QueueState => this.#told

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Send whatever waits. */
  start(): void {
    clearTimeout(this.#retryTimer)
    while (!this.#isOver && !this.#isPaused && this.#busy.size < AT_ONCE) {
      const place = this.#waiting.shift()
      if (place === undefined) return
      this.#busy.add(place)
      void this.#send(place)
    }
  }

  pause(): void {
    this.#isPaused = true
    for (const place of this.#busy) {
      if (this.#items[place]?.state !== 'sending') continue
      void this.#work[place]?.upload?.abort()
      this.#wait(place)
    }
    this.#tellSoon()
  }

  resume(): void {
    this.#isPaused = false
    this.#isLost = false
    this.#tellSoon()
    this.start()
  }

  /** Stop for good; what is received stays where it is. */
  cancel(): void {
    this.#isOver = true
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#tellTimer)
    for (const place of this.#busy) void this.#work[place]?.upload?.abort()
  }

  async #send(place: number): Promise<void> {
    const work = this.#work[place]
    const item = this.#items[place]
    if (!work || !item) return
    this.#change(place, { state: 'sending' })
    if (work.upload) {
      work.upload.start()
      return
    }
    const { picked } = item
    const begun = await this.#service.begin(picked, sortOf(picked.file.name) === 'archive', work.key)
    // Paused meanwhile: it waits again, and is begun once more by the same key.
    if (this.#isOver || work.upload || !this.#busy.has(place)) return
    if (begun.kind === 'lost') this.#lose(place)
    else if (begun.kind === 'refused') this.#end(place, { state: 'refused', problem: begun.problem })
    else {
      work.id = begun.id
      work.upload = this.#createUpload(place, begun.url, picked.file)
      work.upload.start()
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
        this.#isLost = false
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
      this.#isLost = told.kind === 'lost'
      this.#change(place, { state: 'unpacking', ...(told.kind === 'unpacking' && { unpacked: told.progress }) })
      setTimeout(() => void this.#look(place), this.#isLost ? TRY_AGAIN_AFTER_MS : LOOK_EVERY_MS)
    }
  }

  #end(place: number, changed: Partial<Item>): void {
    this.#isLost = false
    this.#busy.delete(place)
    this.#change(place, { ...changed, sentBytes: this.#items[place]?.picked.file.size ?? 0 })
    this.start()
  }

  #lose(place: number): void {
    if (!this.#busy.has(place)) return
    this.#isLost = true
    this.#wait(place)
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => this.start(), TRY_AGAIN_AFTER_MS)
  }

  #wait(place: number): void {
    this.#busy.delete(place)
    this.#waiting.unshift(place)
    this.#change(place, { state: 'waiting' })
  }

  #change(place: number, changed: Partial<Item>): void {
    const item = this.#items[place]
    if (item) this.#items[place] = { ...item, ...changed }
    this.#tellSoon()
  }

  /** Listeners are told a few times a second, however much is sent. */
  #tellSoon(): void {
    if (this.#isOver) return
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = undefined
      this.#told = this.#snapshot()
      for (const listener of this.#listeners) listener()
    }, TELL_EVERY_MS)
  }

  #snapshot(): QueueState {
    return { items: [...this.#items], isPaused: this.#isPaused, isLost: this.#isLost }
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
