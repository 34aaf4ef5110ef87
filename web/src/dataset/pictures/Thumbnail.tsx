import { useEffect, useState } from 'react'
import { messages } from '../../app/messages'
import classes from './PictureGrid.module.css'

const ASK_AGAIN_AFTER_MS = [1_500, 4_000, 10_000]

/** A small picture. The service makes it when it is first asked for, and says so when it has too many to make. */
export function Thumbnail({ url }: { url: string }) {
  const [failure, setFailure] = useState({ url, tries: 0, isWaiting: false })
  const { tries, isWaiting } = failure.url === url ? failure : { tries: 0, isWaiting: false }
  const pause = isWaiting ? ASK_AGAIN_AFTER_MS[tries - 1] : undefined

  useEffect(() => {
    if (pause === undefined) return
    const timer = setTimeout(() => setFailure({ url, tries, isWaiting: false }), pause)
    return () => clearTimeout(timer)
  }, [url, tries, pause])

  if (isWaiting) return <span className={classes.hole}>{pause === undefined && messages.pictures.failed}</span>
  return (
    <img
      key={tries}
      className={classes.image}
      src={url}
      alt=""
      loading="lazy"
      decoding="async"
      onError={() => setFailure({ url, tries: tries + 1, isWaiting: true })}
    />
  )
}
