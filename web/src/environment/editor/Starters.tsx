import { Button, Text, Tooltip } from '@mantine/core'
import { messages } from '../../app/messages'
import type { ConfigOption } from './options'
import classes from './Starters.module.css'

interface StartersProps {
  starters: ConfigOption['starters']
  onChoose: (value: unknown) => void
}

/** Values to begin from, for who does not know how to write one. */
export function Starters({ starters, onChoose }: StartersProps) {
  return (
    <div className={classes.starters}>
      <Text component="span" fz="xs" c="dimmed">
        {messages.editor.beginWith}
      </Text>
      {starters.map(({ label, help, value }) => (
        <Tooltip key={label} label={help} multiline maw={280} events={{ hover: true, focus: true, touch: true }}>
          <Button size="compact-xs" variant="light" onClick={() => onChoose(value)}>
            {label}
          </Button>
        </Tooltip>
      ))}
    </div>
  )
}
