import { useEffect, useState } from 'react'
import { useClient } from 'urql'
import { sendable, withoutOutermost, type Picked } from './picked'
import { outcomeOf, progressOf, type Outcome } from './progress'
import { makeFoldersOf, toService } from './uploadService'
import { UploadQueue } from './uploadQueue'

interface Running {
  queue: UploadQueue
  end: (outcome: Outcome | null) => void
}

interface UploadRun {
  /** What is on its way; null while nothing is. */
  queue: UploadQueue | null
  /** Send files into a folder: what became of them, null when that was given up, or why it could not begin. */
  send: (folder: string, picked: readonly Picked[]) => Promise<Outcome | { problem: string } | null>
  cancel: () => void
}

/** One upload of many files at a time; it ends with the page. */
export function useUpload(): UploadRun {
  const client = useClient()
  const [running, setRunning] = useState<Running | null>(null)

  useEffect(() => {
    if (running === null) return
    const { queue, end } = running
    const check = () => {
      const { items } = queue.getState()
      if (progressOf(items).isDone) end(outcomeOf(items))
    }
    const goOn = () => queue.start()
    const unsubscribe = queue.subscribe(check)
    window.addEventListener('online', goOn)
    queue.start()
    return () => {
      unsubscribe()
      window.removeEventListener('online', goOn)
      queue.cancel()
    }
  }, [running])

  async function send(folder: string, picked: readonly Picked[]) {
    const files = sendable(withoutOutermost(picked))
    const problem = await makeFoldersOf(client, folder, files)
    if (problem !== null) return { problem }
    const queue = new UploadQueue(toService(client, folder), files)
    return new Promise<Outcome | null>((resolve) => {
      setRunning({
        queue,
        end: (outcome) => {
          setRunning(null)
          resolve(outcome)
        },
      })
    })
  }

  return { queue: running?.queue ?? null, send, cancel: () => running?.end(null) }
}
