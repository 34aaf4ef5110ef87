import { Loader } from '@mantine/core'
import { messages } from './messages'
import { useConnectionStatus } from './session'
import classes from './ConnectionBanner.module.css'

/** Says that what is shown may be stale. It lies over the page, so that nothing moves when it comes and goes. */
export function ConnectionBanner() {
  const isLost = useConnectionStatus() === 'lost'
  return (
    <div role="status" className={classes.place}>
      {isLost && (
        <div className={classes.banner}>
          <Loader size={14} color="currentColor" />
          <span>
            {messages.connection.lost} {messages.connection.reconnecting}
          </span>
        </div>
      )}
    </div>
  )
}
