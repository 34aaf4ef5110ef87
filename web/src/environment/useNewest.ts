import { useEffect } from 'react'
import { useClient } from 'urql'
import { EnvironmentVersionDocument } from '../graphql/generated/documents'

const ASK_EVERY_MS = 4_000

interface Known {
  id: string
  name: string
  version: number
}

/** Ask every few seconds, and when somebody comes back to the page, whether there is a newer version. */
export function useNewest({ id, name, version }: Known, onNewer: () => void): void {
  const client = useClient()
  useEffect(() => {
    let isOver = false
    async function ask() {
      if (document.visibilityState !== 'visible') return
      const { data } = await client.query(EnvironmentVersionDocument, { id }, { requestPolicy: 'network-only' })
      const newest = data?.environment
      if (!isOver && data && (newest?.version !== version || newest.name !== name)) onNewer()
    }
    const askNow = () => void ask()
    const timer = setInterval(askNow, ASK_EVERY_MS)
    document.addEventListener('visibilitychange', askNow)
    window.addEventListener('focus', askNow)
    return () => {
      isOver = true
      clearInterval(timer)
      document.removeEventListener('visibilitychange', askNow)
      window.removeEventListener('focus', askNow)
    }
  }, [client, id, name, version, onNewer])
}
