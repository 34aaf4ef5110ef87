import { Badge } from '@mantine/core'
import type { ScanState } from '../../graphql/generated/documents'
import { describeScan, type Scan } from './scan'

const COLORS: Record<ScanState, string> = {
  WAITING: 'gray',
  LISTING: 'brand',
  MEASURING: 'brand',
  READING: 'brand',
  FINISHED: 'teal',
  FAILED: 'red',
}

export function ScanBadge({ scan }: { scan: Scan | null }) {
  return (
    <Badge variant="light" tt="none" fw={500} color={scan === null ? 'gray' : COLORS[scan.state]}>
      {describeScan(scan)}
    </Badge>
  )
}
