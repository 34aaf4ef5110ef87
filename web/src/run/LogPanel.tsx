import { Button, Text } from '@mantine/core'
import { formatAbsolute, formatClock } from '../app/format'
import { messages } from '../app/messages'
import { Panel } from '../app/Panel'
import { useStickToEnd } from './useStickToEnd'
import type { LogLine } from './view'
import classes from './LogPanel.module.css'

const words = messages.log

/** The last lines of the log; it moves along only while its end is in view. */
export function LogPanel({ log }: { log: readonly LogLine[] }) {
  const { ref, isAtEnd, onScroll, goToEnd } = useStickToEnd<HTMLDivElement>(log, 'vertical')
  const toEnd = (
    <Button size="compact-xs" variant="light" onClick={goToEnd} style={{ visibility: isAtEnd ? 'hidden' : 'visible' }}>
      {words.toEnd} ↓
    </Button>
  )
  return (
    <Panel title={words.title} aside={toEnd} isFlush>
      <div ref={ref} onScroll={onScroll} className={classes.scroller} tabIndex={0} role="log" aria-label={words.label}>
        {log.length === 0 && (
          <Text c="dimmed" fz="sm" px="md">
            {words.empty}
          </Text>
        )}
        {log.map(({ number, at, level, message }) => (
          <div key={number} className={classes.line} data-level={level.toLowerCase()}>
            <time dateTime={at} title={formatAbsolute(at)}>
              {formatClock(at)}
            </time>
            <span>{message}</span>
          </div>
        ))}
      </div>
    </Panel>
  )
}
