import { ActionIcon, Badge, Button, Group, Menu, Text } from '@mantine/core'
import { useState } from 'react'
import { Dots } from '../app/icons'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { Time } from '../app/Time'
import { useConfirm } from '../app/useConfirm'
import { ApproveUserDocument, UpdateUserDocument, type UserRowFragment } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { DeleteUser } from './DeleteUser'
import { ResetPassword } from './ResetPassword'
import { USER_STATE_COLORS, userState } from './userStates'
import { useViewer } from './viewer'
import classes from './UserRow.module.css'

const words = messages.users
const { columns } = words

/** A user with what can be done at once: let in, edit, a new password, disable, delete. */
export function UserRow({ user, onEdit }: { user: UserRowFragment; onEdit: () => void }) {
  const viewer = useViewer()
  const approve = useAction(ApproveUserDocument)
  const update = useAction(UpdateUserDocument)
  const state = userState(user)
  const [lastSession] = user.sessions ?? []
  return (
    <tr className={classes.row}>
      <th scope="row" className={classes.who}>
        <button type="button" className={classes.name} onClick={onEdit} aria-label={words.editNamed(user.username)}>
          {user.username}
        </button>
        {user.id === viewer.user.id && (
          <Text span c="dimmed" fz="xs" ml={6}>
            {words.you}
          </Text>
        )}
        <Text fz="xs" c="dimmed" truncate>
          {user.email}
        </Text>
        <Refused message={approve.problem ?? update.problem} />
      </th>
      <td className={classes.levels}>
        <Group gap={4}>
          {user.levels?.map(({ id, name }) => (
            <Badge key={id} variant="light" color={name === 'admin' ? 'brand' : 'gray'} tt="none" fw={600}>
              {name}
            </Badge>
          ))}
        </Group>
      </td>
      <td className={classes.state}>
        <Badge variant="light" color={USER_STATE_COLORS[state]} tt="none" fw={600}>
          {words.states[state]}
        </Badge>
      </td>
      <td data-label={columns.seen} className={classes.seen}>
        {lastSession ? (
          <Time at={lastSession.lastSeenAt} />
        ) : (
          <Text inherit c="dimmed" span>
            {words.never}
          </Text>
        )}
      </td>
      <td data-label={columns.created} className={classes.created}>
        {user.createdAt && <Time at={user.createdAt} />}
      </td>
      <td data-actions className={classes.actions}>
        <Group gap="xs" justify="flex-end" wrap="nowrap">
          {state === 'waiting' && (
            <Button size="xs" loading={approve.isBusy} onClick={() => void approve.act({ id: user.id })}>
              {words.approve}
            </Button>
          )}
          <UserActions user={user} onEdit={onEdit} onDisable={(disabled) => update.act({ id: user.id, disabled })} />
        </Group>
      </td>
    </tr>
  )
}

interface UserActionsProps {
  user: UserRowFragment
  onEdit: () => void
  onDisable: (disabled: boolean) => Promise<unknown>
}

function UserActions({ user, onEdit, onDisable }: UserActionsProps) {
  const [isResetting, setIsResetting] = useState(false)
  const [isDeleting, setIsDeleting] = useState(false)
  const [confirm, dialog] = useConfirm()
  const askToDisable = () =>
    confirm({
      title: words.disableTitle(user.username),
      hint: words.disableHint,
      yes: words.disable,
      color: 'red',
      onYes: () => onDisable(true),
    })
  return (
    <>
      <Menu position="bottom-end" width={190}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={words.actions(user.username)}>
            <Dots />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={onEdit}>{words.edit}</Menu.Item>
          <Menu.Item onClick={() => setIsResetting(true)}>{words.resetPassword}</Menu.Item>
          {user.disabled ? (
            <Menu.Item onClick={() => void onDisable(false)}>{words.enable}</Menu.Item>
          ) : (
            <Menu.Item onClick={askToDisable}>{words.disable}</Menu.Item>
          )}
          <Menu.Divider />
          <Menu.Item color="red" onClick={() => setIsDeleting(true)}>
            {words.remove}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {dialog}
      <ResetPassword user={user} isOpen={isResetting} onClose={() => setIsResetting(false)} />
      <DeleteUser user={user} isOpen={isDeleting} onClose={() => setIsDeleting(false)} />
    </>
  )
}
