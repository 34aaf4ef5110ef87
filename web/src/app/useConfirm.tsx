import { Button, Group, Modal, Text } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { messages } from './messages'

interface Question {
  title: string
  hint: string
  yes: string
  color?: string
  onYes: () => Promise<unknown>
}

/** Ask before something that cannot be taken back: a function that asks, and the dialog to render. */
export function useConfirm(): [ask: (question: Question) => void, dialog: ReactNode] {
  const [question, setQuestion] = useState<Question | null>(null)
  const [isOpen, setIsOpen] = useState(false)
  const [isBusy, setIsBusy] = useState(false)

  function ask(next: Question) {
    setQuestion(next)
    setIsOpen(true)
  }

  async function answerYes() {
    setIsBusy(true)
    await question?.onYes()
    setIsBusy(false)
    setIsOpen(false)
  }

  const dialog = (
    <Modal
      opened={isOpen}
      onClose={() => setIsOpen(false)}
      title={question?.title}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      <Text c="dimmed">{question?.hint}</Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={() => setIsOpen(false)}>
          {messages.cancel}
        </Button>
        <Button color={question?.color ?? 'brand'} loading={isBusy} onClick={() => void answerYes()} data-autofocus>
          {question?.yes}
        </Button>
      </Group>
    </Modal>
  )
  return [ask, dialog]
}
