import { Button, FileButton, Group, Text } from '@mantine/core'
import { useRef, useState, type DragEvent } from 'react'
import { formatBytes, formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { fromDrop, fromInput, tally, type Picked } from './picked'
import { Previews } from './Previews'
import classes from './FileDrop.module.css'

const words = messages.newDataset
/** Known to every browser, and not to the types of React. */
const OF_FOLDERS = { webkitdirectory: '' }

interface FileDropProps {
  picked: readonly Picked[]
  onPick: (picked: Picked[]) => void
}

/** Files, a folder or an archive, dropped or chosen; what was chosen is told in numbers and shown in small. */
export function FileDrop({ picked, onPick }: FileDropProps) {
  const [isOver, setIsOver] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const folderInput = useRef<HTMLInputElement>(null)

  function pick(found: Picked[]) {
    setProblem(null)
    if (found.length > 0) onPick([...picked, ...found])
  }

  async function drop(event: DragEvent) {
    event.preventDefault()
    setIsOver(false)
    try {
      pick(await fromDrop(event.dataTransfer.items))
    } catch {
      // A file can vanish between being dropped and being read.
      setProblem(words.unreadable)
    }
  }

  return (
    <div
      className={classes.drop}
      data-over={isOver || undefined}
      onDragOver={(event) => {
        event.preventDefault()
        setIsOver(true)
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => void drop(event)}
    >
      {picked.length === 0 ? (
        <>
          <Text fw={550}>{words.drop}</Text>
          <Text fz="sm" c="dimmed">
            {words.dropHint}
          </Text>
        </>
      ) : (
        <Chosen picked={picked} />
      )}
      <Group gap="xs" justify="center">
        <FileButton multiple onChange={(files) => pick(fromInput(files))}>
          {(props) => (
            <Button variant="default" {...props}>
              {words.pickFiles}
            </Button>
          )}
        </FileButton>
        <Button variant="default" onClick={() => folderInput.current?.click()}>
          {words.pickFolder}
        </Button>
        {picked.length > 0 && (
          <Button variant="subtle" onClick={() => onPick([])}>
            {words.clear}
          </Button>
        )}
      </Group>
      <input
        ref={folderInput}
        type="file"
        hidden
        {...OF_FOLDERS}
        onChange={(event) => {
          pick(fromInput([...(event.currentTarget.files ?? [])]))
          event.currentTarget.value = ''
        }}
      />
      <Refused message={problem} />
    </div>
  )
}

function Chosen({ picked }: Pick<FileDropProps, 'picked'>) {
  const counts = tally(picked)
  const said = [
    counts.picture > 0 || counts.video + counts.archive === 0 ? words.pictures(formatCount(counts.picture)) : null,
    counts.video > 0 ? words.videos(formatCount(counts.video)) : null,
    counts.archive > 0 ? words.archives(formatCount(counts.archive)) : null,
    counts.text > 0 ? words.texts(formatCount(counts.text)) : null,
    formatBytes(counts.bytes),
  ].filter((each) => each !== null)
  return (
    <div role="status">
      <Previews picked={picked} />
      <Text fw={550}>{said.join(' · ')}</Text>
      {counts.other > 0 && (
        <Text fz="sm" c="dimmed">
          {words.ignored(formatCount(counts.other))}
        </Text>
      )}
    </div>
  )
}
