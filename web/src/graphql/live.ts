import { stringifyDocument } from '@urql/core'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { createClient, type Client } from 'graphql-ws'
import { isUnauthenticated, type CodedError } from './errors'

/** idle: nothing is followed; lost: the connection broke and is being tried again. */
export type ConnectionStatus = 'idle' | 'connecting' | 'live' | 'lost'

export interface Sink<Data> {
  next(data: Data): void
  /** The service ended the stream in order; nothing more comes. */
  complete?(): void
  /** The service refused the operation; it is asked again after a pause. */
  refused?(): void
}

const PING_EVERY_MS = 10_000
const PONG_WITHIN_MS = 5_000
const ASK_AGAIN_AFTER_MS = 3_000
const LONGEST_WAIT_MS = 8_000
const CODES_OF_SIGNED_OUT = [4401, 4403]

/** The websocket of the page: one connection for all that is followed, brought back for ever when it breaks. */
export class LiveConnection {
  readonly #client: Client
  readonly #listeners = new Set<() => void>()
  readonly #onSignedOut: () => void
  #status: ConnectionStatus = 'idle'

  constructor(url: string, onSignedOut: () => void) {
    let socket: WebSocket | undefined
    let overdue: ReturnType<typeof setTimeout> | undefined
    this.#onSignedOut = onSignedOut
    this.#client = createClient({
      url,
      lazyCloseTimeout: 2_000,
      keepAlive: PING_EVERY_MS,
      connectionAckWaitTimeout: 10_000,
      retryAttempts: Infinity,
      shouldRetry: () => true,
      retryWait: waitBeforeRetry,
      on: {
        connecting: (isRetry) => this.#setStatus(isRetry ? 'lost' : 'connecting'),
        connected: (opened) => {
          socket = opened as WebSocket
          this.#setStatus('live')
        },
        ping: (received) => {
          if (received) return
          clearTimeout(overdue)
          overdue = setTimeout(() => {
            if (socket?.readyState === WebSocket.OPEN) this.#client.terminate()
          }, PONG_WITHIN_MS)
        },
        pong: () => clearTimeout(overdue),
        closed: (event) => {
          clearTimeout(overdue)
          const { code } = event as CloseEvent
          if (CODES_OF_SIGNED_OUT.includes(code)) onSignedOut()
          this.#setStatus(code === 1000 ? 'idle' : 'lost')
        },
      },
    })
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  onStatus(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    void this.#client.dispose()
  }

  /**
   * Follow a subscription until the returned function is called. The variables are read anew for each connection, so
   * that a stream that has a cursor goes on from the newest one.
   */
  follow<Data, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables: () => Variables,
    sink: Sink<Data>,
  ): () => void {
    const payload = {
      query: stringifyDocument(document),
      get variables() {
        return variables()
      },
    }
    let cancel: (() => void) | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let cancelled = false
    const askAgain = () => {
      if (!cancelled) timer = setTimeout(subscribe, ASK_AGAIN_AFTER_MS)
    }
    const refuse = (errors: unknown) => {
      if (cancelled) return
      if (Array.isArray(errors) && isUnauthenticated(errors as CodedError[])) this.#onSignedOut()
      sink.refused?.()
      askAgain()
    }
    const subscribe = () => {
      let isRefused = false
      cancel = this.#client.subscribe<Data>(payload, {
        next: (result) => {
          if (result.data) sink.next(result.data)
          if (!result.errors) return
          isRefused = true
          refuse(result.errors)
        },
        error: refuse,
        complete: () => {
          if (!cancelled && !isRefused) sink.complete?.()
        },
      })
    }
    subscribe()
    return () => {
      cancelled = true
      clearTimeout(timer)
      cancel?.()
    }
  }

  #setStatus(status: ConnectionStatus): void {
    if (status === this.#status) return
    this.#status = status
    for (const listener of this.#listeners) listener()
  }
}

/** Longer each time, up to some seconds, with a random part so that many pages do not come back in one instant. */
function waitBeforeRetry(retries: number): Promise<void> {
  const longest = Math.min(LONGEST_WAIT_MS, 500 * 2 ** retries)
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      window.removeEventListener('online', done)
      resolve()
    }
    const timer = setTimeout(done, longest * (0.5 + Math.random() / 2))
    window.addEventListener('online', done)
  })
}
