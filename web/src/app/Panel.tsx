import { Paper, Title } from '@mantine/core'
import { useId, type ReactNode } from 'react'
import classes from './Panel.module.css'

interface PanelProps {
  title: string
  /** What stands in the line of the title. */
  aside?: ReactNode
  /** The content reaches to the borders. */
  isFlush?: boolean
  children: ReactNode
}

/** A titled part of a page. */
export function Panel({ title, aside, isFlush = false, children }: PanelProps) {
  const id = useId()
  return (
    <Paper withBorder component="section" aria-labelledby={id} className={classes.panel ?? ''}>
      <div className={classes.head}>
        <Title order={2} id={id}>
          {title}
        </Title>
        {aside && <div className={classes.aside}>{aside}</div>}
      </div>
      <div className={isFlush ? classes.flush : classes.body}>{children}</div>
    </Paper>
  )
}
