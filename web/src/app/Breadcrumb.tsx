import { Anchor } from '@mantine/core'
import { Link } from 'wouter'

export function Breadcrumb({ href, label }: { href: string; label: string }) {
  return (
    <Anchor component={Link} href={href} c="dimmed" fz="sm" display="inline-block" mb={2}>
      ← {label}
    </Anchor>
  )
}
