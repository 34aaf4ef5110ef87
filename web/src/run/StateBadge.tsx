import { Badge } from '@mantine/core'
import { messages } from '../app/messages'
import type { RunState } from '../graphql/generated/documents'
import { isActive, STATE_COLORS } from './states'
import classes from './StateBadge.module.css'

export function StateBadge({ state }: { state: RunState }) {
  return (
    <Badge
      variant="light"
      color={STATE_COLORS[state]}
      tt="none"
      fw={600}
      leftSection={<span className={classes.dot} data-alive={isActive(state) || undefined} />}
    >
      {messages.run.states[state]}
    </Badge>
  )
}
