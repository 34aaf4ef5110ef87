import { useEffect, useEffectEvent, useState } from 'react'
import { useSession } from '../../app/session'
import { DatasetScannedDocument } from '../../graphql/generated/documents'
import { isUnderWay, type Scan } from './scan'

const LOOK_AGAIN_AFTER_MS = 2_500

/**
 * The newest scan of a dataset as it goes on. onNews: there is something new to be asked about; told at once when a scan
 * ends, and now and then before.
 */
export function useScan(datasetId: string, queried: Scan | null, onNews: () => void): Scan | null {
  const { live } = useSession()
  const [followed, setFollowed] = useState<Scan | null>(null)
  const first = useEffectEvent(() => queried?.cursor ?? null)
  const tell = useEffectEvent(onNews)

  useEffect(() => {
    let cursor = first()
    let toldAt = 0
    return live.follow(DatasetScannedDocument, () => ({ id: datasetId, after: cursor }), {
      next: ({ datasetScan }) => {
        cursor = datasetScan.cursor
        setFollowed(datasetScan)
        const now = Date.now()
        if (isUnderWay(datasetScan) && now - toldAt < LOOK_AGAIN_AFTER_MS) return
        toldAt = now
        tell()
      },
    })
  }, [live, datasetId])

  return followed ?? queried
}
