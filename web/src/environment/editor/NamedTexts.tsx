import { ActionIcon, Button, Input, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { Cross, Plus } from '../../app/icons'
import { messages } from '../../app/messages'
import { fromRows, newRow, toRows, type NamedText } from './namedTexts'
import type { OptionInputProps } from './OptionInput'
import classes from './NamedTexts.module.css'

const words = messages.editor.namedTexts

/** Texts, each with a short name: a row for each. */
export function NamedTexts(props: OptionInputProps) {
  const { id, describedBy, value, text, fallback, problem, isReadOnly, onEdit, onFinish } = props
  const said = toRows(value ?? fallback, text)
  // A row that says nothing yet is no change of the environment.
  const [added, setAdded] = useState<NamedText | null>(null)
  const rows = added === null ? said : [...said, added]

  function change(changed: readonly NamedText[]) {
    const last = changed.at(-1)
    const isPending = added !== null && changed.length > said.length && last?.text.trim() === ''
    setAdded(isPending ? last : null)
    const written = isPending ? changed.slice(0, -1) : changed
    if (JSON.stringify(written) !== JSON.stringify(said)) onEdit(fromRows(written))
  }
  const set = (index: number, part: Partial<NamedText>) =>
    change(rows.map((row, at) => (at === index ? { ...row, ...part } : row)))
  return (
    <div className={classes.rows} role="group" aria-describedby={describedBy} onBlur={onFinish}>
      {rows.map(({ name, text }, index) => (
        // A row keeps its place while its name is typed, and there is nothing else that it could be known by.
        <div key={index} className={classes.row}>
          <TextInput
            id={index === 0 ? id : undefined}
            aria-label={words.nameOf(index + 1)}
            value={name}
            disabled={isReadOnly}
            autoComplete="off"
            onChange={(event) => set(index, { name: event.currentTarget.value })}
          />
          <Textarea
            aria-label={words.textOf(index + 1)}
            value={text}
            placeholder={words.text}
            disabled={isReadOnly}
            autosize
            minRows={1}
            maxRows={6}
            onChange={(event) => set(index, { text: event.currentTarget.value })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            disabled={isReadOnly}
            aria-label={words.remove(name)}
            title={words.remove(name)}
            onClick={() => (index === said.length ? setAdded(null) : change(rows.filter((_, at) => at !== index)))}
          >
            <Cross size={15} />
          </ActionIcon>
        </div>
      ))}
      {problem !== undefined && <Input.Error>{problem}</Input.Error>}
      <div>
        <Button
          id={rows.length === 0 ? id : undefined}
          size="compact-sm"
          variant="default"
          leftSection={<Plus size={14} />}
          disabled={isReadOnly || added !== null}
          onClick={() => setAdded(newRow(said))}
        >
          {words.add}
        </Button>
      </div>
    </div>
  )
}
