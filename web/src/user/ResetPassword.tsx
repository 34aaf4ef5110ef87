import { Button, Group, Modal, Text } from '@mantine/core'
import { useState } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { ShownOnce } from '../app/ShownOnce'
import { ResetPasswordDocument } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'

const words = messages.users

interface ResetPasswordProps {
  user: { id: string; username: string }
  isOpen: boolean
  onClose: () => void
}

/** Two pages of one dialog: whether to, then the password that was made up, shown once. */
export function ResetPassword({ user, isOpen, onClose }: ResetPasswordProps) {
  const [password, setPassword] = useState<string | null>(null)
  const reset = useAction(ResetPasswordDocument)
  function close() {
    setPassword(null)
    onClose()
  }
  async function act() {
    const payload = await reset.act({ id: user.id })
    if (payload?.password) setPassword(payload.password)
  }
  const isDone = password !== null
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={isDone ? words.resetDone(user.username) : words.resetTitle(user.username)}
      closeOnClickOutside={!isDone}
      closeOnEscape={!isDone}
      withCloseButton={!isDone}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {isDone ? (
        <ShownOnce
          secret={password}
          label={words.password}
          hint={messages.password.once}
          done={messages.password.saved}
          onDone={close}
        />
      ) : (
        <>
          <Text c="dimmed">{words.resetHint}</Text>
          <Refused message={reset.problem} />
          <Group justify="flex-end" mt="lg">
            <Button variant="default" onClick={close}>
              {messages.cancel}
            </Button>
            <Button loading={reset.isBusy} onClick={() => void act()} data-autofocus>
              {words.resetYes}
            </Button>
          </Group>
        </>
      )}
    </Modal>
  )
}
