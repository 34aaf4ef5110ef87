import { Button, Group, Modal, Stack } from '@mantine/core'
import { useState } from 'react'
import { Plus } from '../../app/icons'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { useLeaveGuard } from '../../environment/editor/useLeaveGuard'
import { ScanDatasetDocument } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useContents } from '../contents'
import { FileDrop } from './FileDrop'
import { sendable, type Picked } from './picked'
import { isPlain, type Outcome } from './progress'
import { UploadReport } from './UploadReport'
import { UploadView } from './UploadView'
import { useUpload } from './useUpload'

const words = messages.newDataset

interface AddPicturesProps {
  datasetId: string
  /** Of the dataset, on the service's machine. */
  folder: string
}

/** More files for a dataset; it is scanned when they are there. */
export function AddPictures({ datasetId, folder }: AddPicturesProps) {
  const contents = useContents()
  const [isOpen, setIsOpen] = useState(false)
  const [picked, setPicked] = useState<Picked[]>([])
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const upload = useUpload()
  const scanning = useAction(ScanDatasetDocument)
  const isSending = upload.queue !== null
  const guard = useLeaveGuard(isSending, '#', words)

  async function send() {
    setProblem(null)
    const sent = await upload.send(folder, picked)
    if (sent !== null && 'problem' in sent) {
      setProblem(sent.problem)
      return
    }
    await scanning.act({ id: datasetId })
    if (sent === null) return
    setPicked([])
    if (isPlain(sent)) setIsOpen(false)
    else setOutcome(sent)
  }

  function close() {
    setIsOpen(false)
    setOutcome(null)
  }

  return (
    <>
      <Button variant="default" leftSection={<Plus />} onClick={() => setIsOpen(true)}>
        {contents.add}
      </Button>
      <Modal
        opened={isOpen}
        onClose={close}
        title={contents.add}
        size={720}
        closeOnClickOutside={!isSending}
        closeOnEscape={!isSending}
        withCloseButton={!isSending}
        closeButtonProps={{ 'aria-label': messages.close }}
      >
        {upload.queue !== null ? (
          <UploadView queue={upload.queue} onCancel={upload.cancel} />
        ) : outcome !== null ? (
          <UploadReport outcome={outcome} />
        ) : (
          <Stack>
            <FileDrop picked={picked} onPick={setPicked} />
            <Refused message={problem ?? scanning.problem} />
            <Group justify="flex-end">
              <Button disabled={sendable(picked).length === 0} onClick={() => void send()}>
                {words.uploadMore}
              </Button>
            </Group>
          </Stack>
        )}
      </Modal>
      {guard}
    </>
  )
}
