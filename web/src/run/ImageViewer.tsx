import { ActionIcon, Anchor, Modal, Text } from '@mantine/core'
import type { KeyboardEvent } from 'react'
import { formatCount, formatSeconds } from '../app/format'
import { ChevronDown, ChevronLeft, ChevronRight, ChevronUp, External } from '../app/icons'
import { messages } from '../app/messages'
import type { DrawingSettings } from './drawing'
import { FullSize } from './FullSize'
import { formatSize, neighbour, type ImageGrid } from './imageGrid'
import type { RunImage } from './view'
import classes from './ImageViewer.module.css'

const words = messages.images

const MOVES = [
  { key: 'ArrowLeft', steps: -1, rows: 0, label: words.previousStep, Icon: ChevronLeft },
  { key: 'ArrowRight', steps: 1, rows: 0, label: words.nextStep, Icon: ChevronRight },
  { key: 'ArrowUp', steps: 0, rows: -1, label: words.previousPrompt, Icon: ChevronUp },
  { key: 'ArrowDown', steps: 0, rows: 1, label: words.nextPrompt, Icon: ChevronDown },
]

interface ImageViewerProps {
  grid: ImageGrid
  image: RunImage | undefined
  settings: DrawingSettings
  onMove: (image: RunImage | null) => void
}

/** One image as large as the window allows; the arrows go through steps and prompts. */
export function ImageViewer({ grid, image, settings, onMove }: ImageViewerProps) {
  function moveByKey(event: KeyboardEvent) {
    const move = MOVES.find(({ key }) => key === event.key)
    if (!move || !image) return
    event.preventDefault()
    onMove(neighbour(grid, image, move.steps, move.rows))
  }
  return (
    <Modal
      opened={image !== undefined}
      onClose={() => onMove(null)}
      onKeyDown={moveByKey}
      size="auto"
      centered
      title={image && words.step(formatCount(image.step))}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {image && (
        <div className={classes.viewer}>
          <FullSize image={image} />
          {settings.hasHalves && (
            <div className={classes.halves}>
              <span>{words.lastWeights}</span>
              <span>{words.average}</span>
            </div>
          )}
          <Text fz="sm" className={classes.prompt}>
            {image.prompt}
          </Text>
          <div className={classes.foot}>
            {MOVES.map(({ key, steps, rows, label, Icon }) => {
              const target = neighbour(grid, image, steps, rows)
              return (
                <ActionIcon
                  key={key}
                  variant="default"
                  aria-label={label}
                  title={label}
                  disabled={target === image}
                  onClick={() => onMove(target)}
                >
                  <Icon />
                </ActionIcon>
              )
            })}
            <Text fz="xs" c="dimmed" flex={1}>
              {[words.seed(image.seed), formatSize(image), ...lengthOf(image), ...settings.facts].join(' · ')}
            </Text>
            <Anchor href={image.url} target="_blank" rel="noreferrer" fz="xs" className={classes.original ?? ''}>
              {words.original} <External size={12} />
            </Anchor>
          </div>
        </div>
      )}
    </Modal>
  )
}

function lengthOf({ numFrames, durationSeconds }: RunImage): string[] {
  return durationSeconds === null ? [] : [words.frames(formatCount(numFrames)), formatSeconds(durationSeconds)]
}
