import { Menu, UnstyledButton } from '@mantine/core'
import { Link, useLocation } from 'wouter'
import { useMutation } from 'urql'
import { useAdminPages } from '../app/adminPages'
import { ChevronDown, Person, SignOut } from '../app/icons'
import { messages } from '../app/messages'
import { routes } from '../app/routes'
import { useSession } from '../app/session'
import { SignOutDocument } from '../graphql/generated/documents'
import { useViewer } from './viewer'
import classes from './UserMenu.module.css'

const words = messages.shell

export function UserMenu() {
  const viewer = useViewer()
  const adminPages = useAdminPages()
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
        <Menu.Item component={Link} href={routes.account} leftSection={<Person />}>
          {words.account}
        </Menu.Item>
        {adminPages.map(({ href, label, Icon }) => (
          <Menu.Item key={href} component={Link} href={href} leftSection={<Icon />} className={classes.narrow ?? ''}>
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<SignOut />} onClick={() => void leave()}>
          {words.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
