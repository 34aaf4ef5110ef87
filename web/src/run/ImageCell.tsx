import { UnstyledButton } from '@mantine/core'
import { formatCount, formatSeconds } from '../app/format'
import { messages } from '../app/messages'
import { isPixelArt, isVideo, type ImageRow } from './imageGrid'
import type { RunImage } from './view'
import classes from './ImageCell.module.css'

const words = messages.images

interface ImageCellProps {
  row: ImageRow
  image: RunImage | undefined
  onEnlarge: (image: RunImage) => void
}

/** One image in the size of its cell, the first one of a video, or a place of the same shape where there is none yet. */
export function ImageCell({ row, image, onEnlarge }: ImageCellProps) {
  const aspectRatio = `${row.width} / ${row.height}`
  if (!image)
    return (
      <div className={classes.hole} style={{ aspectRatio }}>
        {words.notYet}
      </div>
    )
  const step = formatCount(image.step)
  return (
    <UnstyledButton
      className={classes.button ?? ''}
      aria-label={words.open(image.prompt, step)}
      onClick={() => onEnlarge(image)}
    >
      <img
        className={classes.image}
        style={{ aspectRatio }}
        data-pixels={isPixelArt(image) || undefined}
        src={isPixelArt(image) && !isVideo(image) ? image.url : image.thumbnailUrl}
        alt={words.alt(image.prompt, step)}
        loading="lazy"
        decoding="async"
      />
      {image.durationSeconds !== null && (
        <span className={classes.duration}>▶ {formatSeconds(image.durationSeconds)}</span>
      )}
    </UnstyledButton>
  )
}
