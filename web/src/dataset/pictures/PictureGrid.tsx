import { Button, Group, UnstyledButton } from '@mantine/core'
import type { KeyboardEvent } from 'react'
import { formatSeconds } from '../../app/format'
import { describeFailure } from '../../graphql/errors'
import { Warning } from '../../app/icons'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { useContents } from '../contents'
import { columnsOf, neighbourOf } from './gridMoves'
import type { Picture, PictureList } from './pictureFeed'
import { isUnusable, labelOf } from './problems'
import { Thumbnail } from './Thumbnail'
import classes from './PictureGrid.module.css'

const words = messages.pictures

interface PictureGridProps {
  list: PictureList
  onOpen: (picture: Picture) => void
  onMore: () => void
}

/** Pictures in small, with their captions; the arrow keys go from one to the next. */
export function PictureGrid({ list, onOpen, onMore }: PictureGridProps) {
  const contents = useContents()
  function move(event: KeyboardEvent<HTMLUListElement>) {
    const buttons = [...event.currentTarget.querySelectorAll('button')]
    const here = buttons.findIndex((button) => button === document.activeElement)
    const columns = columnsOf(buttons.map((button) => button.getBoundingClientRect().top))
    const next = neighbourOf(here, event.key, { count: buttons.length, columns })
    if (here === -1 || next === null) return
    event.preventDefault()
    buttons[next]?.focus()
  }
  return (
    <>
      <ul className={classes.grid} data-stale={list.isStale || undefined} aria-label={contents.title} onKeyDown={move}>
        {list.edges?.map(({ node }) => (
          <li key={node.id}>
            <Tile picture={node} onOpen={() => onOpen(node)} />
          </li>
        ))}
      </ul>
      <Refused message={list.error ? `${contents.failedToLoad} ${describeFailure(list.error)}` : null} />
      {list.hasMore && !list.isStale && (
        <Group justify="center" pb="md">
          <Button variant="subtle" size="sm" loading={list.isBusy} onClick={onMore}>
            {messages.showMore}
          </Button>
        </Group>
      )}
    </>
  )
}

function Tile({ picture, onOpen }: { picture: Picture; onOpen: () => void }) {
  const { path, caption, problems, isExcluded, thumbnailUrl, durationSeconds } = picture
  const hasNone = caption === null || caption === ''
  return (
    <UnstyledButton
      className={classes.tile ?? ''}
      data-excluded={isExcluded || undefined}
      aria-label={words.open(path)}
      onClick={onOpen}
    >
      <span className={classes.frame}>
        {isUnusable(problems) ? <span className={classes.hole} /> : <Thumbnail url={thumbnailUrl} />}
        {durationSeconds !== null && <span className={classes.length}>{formatSeconds(durationSeconds)}</span>}
        {problems.length > 0 && (
          <span className={classes.mark}>
            <Warning size={12} /> {problems.map(labelOf).join(', ')}
          </span>
        )}
      </span>
      <span className={classes.caption} data-none={hasNone || undefined}>
        {hasNone ? words.noCaption : caption}
      </span>
      <span className={classes.path}>{path}</span>
    </UnstyledButton>
  )
}
