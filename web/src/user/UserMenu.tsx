import { Menu, UnstyledButton } from '@mantine/core'
import { Link, useLocation } from 'wouter'
import { useMutation } from 'urql'
import { ChevronDown, Key, Person, SignOut } from '../app/icons'
import { messages } from '../app/messages'
import { routes } from '../app/routes'
import { useSession } from '../app/session'
import { SignOutDocument, type ViewerPartsFragment } from '../graphql/generated/documents'
import classes from './UserMenu.module.css'

const words = messages.shell

export function UserMenu({ viewer }: { viewer: ViewerPartsFragment }) {
  const { restart } = useSession()
  const [, signOut] = useMutation(SignOutDocument)
  const [, navigate] = useLocation()

  async function leave() {
    const { error } = await signOut({})
    if (error) return
    navigate(routes.runs)
    restart()
  }

  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <UnstyledButton className={classes.button ?? ''} aria-label={words.userMenu(viewer.user.username)}>
          <Person size={18} />
          <span className={classes.name}>{viewer.user.username}</span>
          <ChevronDown size={14} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {words.signedInAs} {viewer.user.email ?? viewer.user.username}
        </Menu.Label>
        <Menu.Item component={Link} href={routes.apiKeys} leftSection={<Key />}>
          {words.apiKeys}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<SignOut />} onClick={() => void leave()}>
          {words.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
