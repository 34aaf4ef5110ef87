import { Progress } from '@mantine/core'
import { messages } from '../../app/messages'
import { Time } from '../../app/Time'
import { describeDone, isUnderWay, shareOf, type Scan } from './scan'
import { ScanBadge } from './ScanBadge'
import classes from './ScanProgress.module.css'

/** How far the scan is; its place is kept, so that nothing moves when it ends. */
export function ScanProgress({ scan }: { scan: Scan | null }) {
  return (
    <div className={classes.scan} role="status">
      <ScanBadge scan={scan} />
      {scan !== null && isUnderWay(scan) && (
        <>
          <Progress
            className={classes.bar ?? ''}
            value={shareOf(scan) * 100}
            animated={shareOf(scan) === 0}
            aria-label={messages.scan.label}
          />
          <span>{describeDone(scan)}</span>
        </>
      )}
      {scan?.finishedAt && <Time at={scan.finishedAt} />}
    </div>
  )
}
