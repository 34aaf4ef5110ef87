import { Alert, Button, Group, Stack, Text, Textarea } from '@mantine/core'
import { getHotkeyHandler } from '@mantine/hooks'
import { useState } from 'react'
import { toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { ScanDatasetDocument, SetCaptionsDocument, type DatasetPartsFragment } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import type { Picture } from './pictureFeed'

const words = messages.picture

interface CaptionEditorProps {
  dataset: Pick<DatasetPartsFragment, 'id' | 'mayEdit'>
  picture: Picture
  onSaved: (pictures: readonly Picture[]) => void
}

/** base: the caption when somebody began to change it. */
interface Edit {
  text: string
  base: string
}

/** The caption of one picture. What somebody else has written meanwhile is never replaced without being seen. */
export function CaptionEditor({ dataset, picture, onSaved }: CaptionEditorProps) {
  const caption = picture.caption ?? ''
  const [edit, setEdit] = useState<Edit | null>(null)
  const [isSaved, setIsSaved] = useState(false)
  const saving = useAction(SetCaptionsDocument)
  const scanning = useAction(ScanDatasetDocument)
  const conflict = saving.errors.find(({ code }) => code === 'STALE_VERSION')
  const isChanged = edit !== null && edit.text !== caption

  async function save(expected: string | null) {
    if (edit === null || saving.isBusy) return
    const written = { imageId: picture.id, caption: edit.text, expected }
    const payload = await saving.act({ datasetId: dataset.id, captions: [written] })
    if (payload === null) return
    setEdit(null)
    setIsSaved(true)
    onSaved(payload.images ?? [])
  }

  async function takeTheirs() {
    // The new caption is on the disk; a scan brings it here.
    if (await scanning.act({ id: dataset.id })) setEdit(null)
  }

  return (
    <Stack gap="xs">
      <Textarea
        label={words.caption}
        description={words.captionHint}
        autosize
        minRows={3}
        maxRows={10}
        disabled={!dataset.mayEdit}
        value={edit?.text ?? caption}
        onChange={(event) => {
          setEdit({ text: event.currentTarget.value, base: edit?.base ?? caption })
          setIsSaved(false)
        }}
        onKeyDown={getHotkeyHandler([['mod+Enter', () => void save(edit?.base ?? caption)]])}
      />
      {conflict && edit !== null ? (
        <Alert color="yellow" variant="light" role="alert" title={words.conflict}>
          <Text fz="sm">{toSentence(conflict.message)}</Text>
          <Group mt="xs" gap="xs">
            <Button size="xs" loading={saving.isBusy} onClick={() => void save(null)}>
              {words.keepMine}
            </Button>
            <Button size="xs" variant="default" loading={scanning.isBusy} onClick={() => void takeTheirs()}>
              {words.takeTheirs}
            </Button>
          </Group>
        </Alert>
      ) : (
        <Refused message={saving.problem ?? scanning.problem} />
      )}
      {dataset.mayEdit && (
        <Group gap="xs">
          <Button
            size="xs"
            disabled={!isChanged}
            loading={saving.isBusy}
            onClick={() => void save(edit?.base ?? caption)}
          >
            {words.save}
          </Button>
          <Button size="xs" variant="default" disabled={!isChanged} onClick={() => setEdit(null)}>
            {words.discard}
          </Button>
          <Text fz="sm" c="teal" role="status">
            {isSaved && words.saved}
          </Text>
        </Group>
      )}
    </Stack>
  )
}
