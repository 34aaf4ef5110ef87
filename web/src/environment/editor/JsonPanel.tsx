import { Text, Textarea } from '@mantine/core'
import { useState } from 'react'
import { CopyButton } from '../../app/CopyButton'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { DATASETS, editsTowards } from './edits'
import type { Draft } from './useDraft'
import { isRecord } from './values'
import classes from './JsonPanel.module.css'

const words = messages.editor

/** The options that are set as the file that they are; what is changed here changes the form, and the other way round. */
export function JsonPanel({ draft, isReadOnly }: { draft: Draft; isReadOnly: boolean }) {
  // What is being typed stays as typed until the field is left; text that is no configuration stays until it is one.
  const [typed, setTyped] = useState<string | null>(null)
  const config = Object.fromEntries(Object.entries(draft.draft).filter(([key]) => key !== DATASETS))
  const text = typed ?? JSON.stringify(config, null, 2)
  const problem = typed === null ? null : problemOf(typed)

  function type(changed: string) {
    setTyped(changed)
    if (problemOf(changed) !== null) return
    const wanted = JSON.parse(changed) as Record<string, unknown>
    draft.replace((edits, saved) => editsTowards(edits, saved, wanted))
  }

  return (
    <Panel title={words.json} aside={<CopyButton text={text} isSmall />}>
      <Textarea
        aria-label={words.json}
        classNames={{ input: classes.input ?? '' }}
        value={text}
        spellCheck={false}
        readOnly={isReadOnly}
        onChange={(event) => type(event.currentTarget.value)}
        onBlur={() => problem === null && setTyped(null)}
      />
      <Text
        fz="xs"
        mt={6}
        role="status"
        {...(problem === null ? { c: 'dimmed' } : { className: classes.problem ?? '' })}
      >
        {problem ?? words.jsonHint}
      </Text>
      {problem !== null && (
        <button type="button" className={classes.back} onClick={() => setTyped(null)}>
          {words.jsonBack}
        </button>
      )}
    </Panel>
  )
}

function problemOf(text: string): string | null {
  try {
    return isRecord(JSON.parse(text)) ? null : words.problems.noObject
  } catch (error) {
    return words.problems.json(error instanceof Error ? error.message : '')
  }
}
