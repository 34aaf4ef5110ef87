import { Button, CloseButton, Popover, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { Warning } from '../../app/icons'
import { messages } from '../../app/messages'
import { describe } from '../changes'
import { DATASETS } from './edits'
import { refusalOf } from './refusals'
import type { Draft } from './useDraft'
import classes from './SaveBar.module.css'

const words = messages.editor

interface SaveBarProps {
  draft: Draft
  labelOf: (key: string) => string
  /** What was refused at options that the form does not have. */
  elsewhere: readonly string[]
  onSave: () => void
  onSettle: () => void
  onShow: (key: string) => void
}

/** What is not saved yet and what others did, over the lower edge of the page, so that nothing moves when it comes. */
export function SaveBar({ draft, labelOf, elsewhere, onSave, onSettle, onShow }: SaveBarProps) {
  const keys = Object.keys(draft.edits)
  const isRefused = keys.some((key) => refusalOf(draft.refusals, key, draft.draft) !== undefined)
  const said = [...(draft.problem === null ? [] : [draft.problem]), ...elsewhere]
  const unfinished = draft.problems.length > 0 ? words.unfinished(draft.problems.length) : null
  const hint = unfinished ?? (isRefused ? words.refused : null)
  const lines = said.length === 0 && hint !== null ? [hint] : said
  return (
    <div className={classes.place}>
      <News draft={draft} labelOf={labelOf} onShow={onShow} />
      {keys.length > 0 && (
        <section className={classes.bar} aria-label={words.unsavedChanges}>
          {draft.contested.length > 0 ? (
            <Line>
              {words.contestedCount(draft.contested.length)}{' '}
              <Button size="compact-xs" variant="light" color="yellow" onClick={onSettle}>
                {words.settle}
              </Button>
            </Line>
          ) : (
            lines.map((line) => <Line key={line}>{line}</Line>)
          )}
          <div className={classes.actions}>
            <Review draft={draft} labelOf={labelOf} onShow={onShow} />
            <Button size="sm" variant="default" disabled={draft.isBusy} onClick={() => draft.revert(keys)}>
              {words.discard}
            </Button>
            <Button size="sm" loading={draft.isBusy} onClick={onSave}>
              {words.save(keys.length)}
            </Button>
          </div>
        </section>
      )}
    </div>
  )
}

function Line({ children }: { children: ReactNode }) {
  return (
    <div className={classes.line} role="alert">
      <Warning size={15} />
      <span>{children}</span>
    </div>
  )
}

interface ReviewProps {
  draft: Draft
  labelOf: (key: string) => string
  onShow: (key: string) => void
}

/** The list of what would be saved, each with the way back. */
function Review({ draft, labelOf, onShow }: ReviewProps) {
  const keys = Object.keys(draft.edits)
  return (
    <Popover position="top-start" width={420} trapFocus withinPortal>
      <Popover.Target>
        <button type="button" className={classes.count}>
          {words.unsavedCount(keys.length)}
        </button>
      </Popover.Target>
      <Popover.Dropdown className={classes.review ?? ''}>
        <ul className={classes.changes}>
          {keys.map((key) => (
            <li key={key}>
              <div className={classes.change}>
                <button type="button" className={classes.show} onClick={() => onShow(key)}>
                  {labelOf(key)}
                </button>
                <Text fz="xs" c="dimmed" ff={key === DATASETS ? 'text' : 'monospace'} lineClamp={3}>
                  {describe(key, draft.saved[key])} →{' '}
                  {draft.edits[key]?.problem ?? describe(key, draft.edits[key]?.value)}
                </Text>
              </div>
              <CloseButton
                size="sm"
                aria-label={words.revert(labelOf(key))}
                title={words.revert(labelOf(key))}
                onClick={() => draft.revert([key])}
              />
            </li>
          ))}
        </ul>
      </Popover.Dropdown>
    </Popover>
  )
}

/** What others have just changed; it stays until it is put away. */
function News({ draft, labelOf, onShow }: ReviewProps) {
  const { news } = draft
  const [newest] = news.toSorted((one, other) => other.version.number - one.version.number)
  return (
    <div role="status">
      {newest && (
        <div className={classes.news}>
          <span>
            {words.news(newest.version.author?.username ?? words.somebody, newest.version.number)}{' '}
            {news.map(({ key }, place) => (
              <span key={key}>
                {place > 0 && ', '}
                <button type="button" className={classes.show} onClick={() => onShow(key)}>
                  {labelOf(key)}
                </button>
              </span>
            ))}
          </span>
          <CloseButton size="sm" aria-label={words.dismiss} onClick={draft.dismissNews} />
        </div>
      )}
    </div>
  )
}
