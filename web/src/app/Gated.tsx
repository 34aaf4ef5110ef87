import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { useMay } from '../user/viewer'
import { messages } from './messages'
import { Notice } from './Notice'
import { routes } from './routes'

const words = messages.noRights

interface GatedProps {
  /** One of these permissions is enough. */
  needs: string[]
  title?: string
  children: ReactNode
}

/** A page for those who may see it; the others are told so. */
export function Gated({ needs, title = words.page, children }: GatedProps) {
  const may = useMay()
  if (may(...needs)) return children
  return (
    <Notice title={title} hint={words.hint}>
      <Button component={Link} href={routes.account} mt="sm" variant="default">
        {words.toAccount}
      </Button>
    </Notice>
  )
}
