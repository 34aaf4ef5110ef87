import { useEffect, useRef, useState } from 'react'
import { messages } from '../../app/messages'
import { refusalOf } from './refusals'
import type { Draft } from './useDraft'
import classes from './SectionNav.module.css'

const words = messages.editor
/** How far below the upper edge a section counts as the one that is read. */
const READING_LINE_PX = 180
const EDGE_PX = 48

export interface Section {
  id: string
  label: string
  /** The options that are in it. */
  keys: readonly string[]
}

/** The parts of the form, with what is not saved or wrong in each. */
export function SectionNav({ sections, draft }: { sections: readonly Section[]; draft: Draft }) {
  const current = useSectionInView(sections)
  const nav = useRef<HTMLElement>(null)
  useEffect(() => {
    // On a narrow screen the parts lie in a row that is longer than the screen.
    const link = nav.current?.querySelector<HTMLElement>('[aria-current]')
    if (link) nav.current?.scrollTo({ left: link.offsetLeft - EDGE_PX })
  }, [current])
  return (
    <nav ref={nav} className={classes.nav} aria-label={words.sections}>
      {sections.map(({ id, label, keys }) => {
        const numChanged = keys.filter((key) => key in draft.edits).length
        const isWrong = keys.some(
          (key) => draft.edits[key]?.problem !== undefined || refusalOf(draft.refusals, key, draft.draft) !== undefined,
        )
        return (
          <a key={id} href={`#${id}`} aria-current={id === current ? 'location' : undefined}>
            <span>{label}</span>
            {(numChanged > 0 || isWrong) && (
              <span
                className={classes.mark}
                data-wrong={isWrong || undefined}
                title={isWrong ? words.wrongHere : words.unsavedCount(numChanged)}
              >
                {isWrong ? '!' : numChanged}
              </span>
            )}
          </a>
        )
      })}
    </nav>
  )
}

/** The id of the last section that begins above the reading line. */
function useSectionInView(sections: readonly Section[]): string | undefined {
  const [current, setCurrent] = useState<string>()
  useEffect(() => {
    function look() {
      const places = sections.flatMap(({ id }) => {
        const top = document.getElementById(id)?.getBoundingClientRect().top
        return top === undefined ? [] : [{ id, top }]
      })
      const begun = places.filter(({ top }) => top < READING_LINE_PX)
      setCurrent((begun.at(-1) ?? places[0])?.id)
    }
    look()
    window.addEventListener('scroll', look, { passive: true })
    return () => window.removeEventListener('scroll', look)
  }, [sections])
  return current
}
