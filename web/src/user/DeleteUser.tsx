import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { DeleteUserDocument, type UserRowFragment } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'

const words = messages.users

interface DeleteUserProps {
  user: UserRowFragment
  isOpen: boolean
  onClose: () => void
}

/** The question before an account is erased: what goes for good, and what stays. */
export function DeleteUser({ user, isOpen, onClose }: DeleteUserProps) {
  const remove = useAction(DeleteUserDocument, ['User'])
  async function act() {
    if (await remove.act({ id: user.id, expectedVersion: user.version })) onClose()
  }
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={words.removeTitle(user.username)}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      <Stack gap="sm">
        <div>
          <Text fw={600}>{words.erasedTitle}</Text>
          <Text c="dimmed">{words.erased}</Text>
        </div>
        <div>
          <Text fw={600}>{words.keptTitle}</Text>
          <Text c="dimmed">{words.kept}</Text>
        </div>
        <Refused message={remove.problem} />
        <Group justify="flex-end" mt="sm">
          <Button variant="default" onClick={onClose} data-autofocus>
            {messages.cancel}
          </Button>
          <Button color="red" loading={remove.isBusy} onClick={() => void act()}>
            {words.removeYes}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
