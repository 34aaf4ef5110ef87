import { Group, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './PageTitle.module.css'

export function PageTitle({ title, actions }: { title: string; actions?: ReactNode }) {
  return (
    <Group justify="space-between" gap="xs" mb="md" mih={36}>
      <Title order={1} className={classes.title ?? ''}>
        {title}
      </Title>
      <div className={classes.actions}>{actions}</div>
    </Group>
  )
}
