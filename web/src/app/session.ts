import type { Client } from '@urql/core'
import { createContext, useContext, useState, useSyncExternalStore } from 'react'
import { createGraphqlClient } from '../graphql/client'
import { LiveConnection, type ConnectionStatus } from '../graphql/live'

/** What belongs to one sign-in: both connections to the service, with all that they have cached. */
export interface Session {
  client: Client
  live: LiveConnection
  /** Forget everything and ask anew who is signed in. */
  restart: () => void
}

const SessionContext = createContext<Session | null>(null)
export const SessionProvider = SessionContext.Provider

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('used outside a session')
  return session
}

/** A session is followed by a new one at most once: what is still under way in an old one ends nobody's typing. */
export function useNewSession(): Session {
  const [session, setSession] = useState(begin)
  function begin(): Session {
    let isOver = false
    const restart = () => {
      if (isOver) return
      isOver = true
      begun.live.close()
      setSession(begin)
    }
    const begun = { ...connect(restart), restart }
    return begun
  }
  return session
}

export function useConnectionStatus(): ConnectionStatus {
  const { live } = useSession()
  return useSyncExternalStore(
    (listener) => live.onStatus(listener),
    () => live.status,
  )
}

function connect(restart: () => void): Pick<Session, 'client' | 'live'> {
  const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws'
  return {
    client: createGraphqlClient(restart),
    live: new LiveConnection(`${scheme}://${window.location.host}/graphql`, restart),
  }
}
