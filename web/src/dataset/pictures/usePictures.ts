import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { useClient } from 'urql'
import { PictureFeed, type Picture, type PictureList, type Selection } from './pictureFeed'

interface Pictures {
  list: PictureList
  showMore: () => void
  reload: () => void
  replace: (pictures: readonly Picture[]) => void
}

/** The selected pictures, asked for anew with each edition; until an answer comes, the last ones stay. */
export function usePictures(datasetId: string, selection: Selection, edition: number): Pictures {
  const client = useClient()
  const written = JSON.stringify(selection)
  const feed = useMemo(
    () => new PictureFeed(client, datasetId, JSON.parse(written) as Selection),
    [client, datasetId, written],
  )
  const state = useSyncExternalStore(feed.subscribe, feed.getState)
  const [last, setLast] = useState(state)
  if (state.edges !== undefined && state !== last) setLast(state)

  useEffect(() => {
    void feed.reload()
  }, [feed, edition])

  const { edges, isBusy, error } = state
  return {
    list: edges === undefined ? { ...last, isBusy, error } : state,
    showMore: () => void feed.showMore(),
    reload: () => void feed.reload(),
    replace: (pictures) => feed.replace(pictures),
  }
}
