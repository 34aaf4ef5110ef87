import {
  Button,
  FileButton,
  Group,
  NativeSelect,
  SegmentedControl,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useState, type DragEvent, type SyntheticEvent } from 'react'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { toInput, withFiles, type Given } from './given'
import classes from './GivenForm.module.css'

const words = messages.importing
const WAYS: Given['way'][] = ['paste', 'files', 'path']
const LARGEST_FILE_BYTES = 1 << 20

interface GivenFormProps {
  given: Given
  isBusy: boolean
  onChange: (given: Given) => void
  onLook: () => void
}

/** What to import: text, files or a path, and of which tool it is. */
export function GivenForm({ given, isBusy, onChange, onLook }: GivenFormProps) {
  function submit(event: SyntheticEvent) {
    event.preventDefault()
    onLook()
  }

  return (
    <form onSubmit={submit}>
      <Stack>
        <SegmentedControl
          aria-label={words.way}
          maw={420}
          data={WAYS.map((way) => ({ value: way, label: words.ways[way] }))}
          value={given.way}
          onChange={(way) => onChange({ ...given, way })}
        />
        {given.way === 'paste' && (
          <Textarea
            label={words.text}
            description={words.textHint}
            autosize
            minRows={8}
            maxRows={20}
            spellCheck={false}
            autoComplete="off"
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78rem' } }}
            value={given.text}
            onChange={(event) => onChange({ ...given, text: event.currentTarget.value })}
          />
        )}
        {given.way === 'files' && <FileDrop given={given} onChange={onChange} />}
        {given.way === 'path' && (
          <TextInput
            label={words.path}
            description={words.pathHint}
            placeholder="/workspace/config"
            value={given.path}
            onChange={(event) => onChange({ ...given, path: event.currentTarget.value })}
          />
        )}
        <Group align="flex-end">
          <NativeSelect
            label={words.format}
            data={[
              { value: '', label: words.anyFormat },
              ...Object.entries(words.formats).map(([value, label]) => ({ value, label })),
            ]}
            value={given.format}
            onChange={(event) => onChange({ ...given, format: event.currentTarget.value })}
          />
          <Button type="submit" loading={isBusy} disabled={toInput(given) === null}>
            {words.look}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function FileDrop({ given, onChange }: Pick<GivenFormProps, 'given' | 'onChange'>) {
  const [isOver, setIsOver] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)

  async function add(picked: readonly File[]) {
    const tooLarge = picked.find(({ size }) => size > LARGEST_FILE_BYTES)
    setProblem(tooLarge ? words.tooLarge(tooLarge.name) : null)
    if (tooLarge) return
    try {
      const added = await Promise.all(picked.map(async (file) => ({ name: file.name, content: await file.text() })))
      onChange({ ...given, files: withFiles(given.files, added) })
    } catch {
      // A folder can be dropped, too, and has no text.
      setProblem(words.unreadable)
    }
  }

  function drop(event: DragEvent) {
    event.preventDefault()
    setIsOver(false)
    void add([...event.dataTransfer.files])
  }

  function dragOver(event: DragEvent) {
    event.preventDefault()
    setIsOver(true)
  }

  return (
    <div
      className={classes.drop}
      data-over={isOver || undefined}
      onDragOver={dragOver}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      <Text fz="sm" c="dimmed">
        {words.dropHint}
      </Text>
      <FileButton multiple onChange={(picked) => void add(picked)}>
        {(props) => (
          <Button variant="default" {...props}>
            {words.pick}
          </Button>
        )}
      </FileButton>
      <Refused message={problem} />
      {given.files.length > 0 && (
        <ul className={classes.files}>
          {given.files.map(({ name }) => (
            <li key={name}>
              <code>{name}</code>
              <Button
                size="compact-xs"
                variant="subtle"
                aria-label={words.removeFile(name)}
                onClick={() => onChange({ ...given, files: given.files.filter((file) => file.name !== name) })}
              >
                {words.remove}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
