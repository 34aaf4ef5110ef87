import { useReducedMotion } from '@mantine/hooks'
import { formatCount } from '../app/format'
import { messages } from '../app/messages'
import { isPixelArt, isVideo } from './imageGrid'
import type { RunImage } from './view'
import classes from './FullSize.module.css'

/** A picture, or a video that plays over and over: each one from its beginning, and by itself unless motion is unwanted. */
export function FullSize({ image }: { image: RunImage }) {
  const isStill = useReducedMotion()
  const label = messages.images.alt(image.prompt, formatCount(image.step))
  const shown = {
    className: classes.image,
    style: { aspectRatio: `${image.width} / ${image.height}` },
    'data-pixels': isPixelArt(image) || undefined,
    src: image.url,
  }
  if (isVideo(image))
    return (
      <video
        key={image.url}
        {...shown}
        aria-label={label}
        poster={image.thumbnailUrl}
        controls
        muted
        loop
        playsInline
        autoPlay={!isStill}
      />
    )
  return <img {...shown} alt={label} />
}
