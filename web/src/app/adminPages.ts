import type { ComponentType } from 'react'
import { useMay } from '../user/viewer'
import { Lock, Person, Shield } from './icons'
import { messages } from './messages'
import { routes } from './routes'

interface AdminPage {
  href: string
  label: string
  Icon: ComponentType<{ size?: number }>
}

/** The pages of administration that the viewer may open. */
export function useAdminPages(): AdminPage[] {
  const may = useMay()
  const { users, access, audit } = messages.shell
  const pages: AdminPage[] = []
  if (may('admin.users')) pages.push({ href: routes.users, label: users, Icon: Person })
  if (may('admin.levels', 'admin.config')) pages.push({ href: routes.access, label: access, Icon: Lock })
  if (may('admin.audit')) pages.push({ href: routes.audit, label: audit, Icon: Shield })
  return pages
}
