import { useEffect, useState } from 'react'
import { formatAbsolute, formatRelative } from './format'

/** A moment as "3 minutes ago"; the exact time is in the title. */
export function Time({ at }: { at: string }) {
  const now = useNow(10_000)
  return (
    <time dateTime={at} title={formatAbsolute(at)}>
      {formatRelative(Date.parse(at), now)}
    </time>
  )
}

/** The time in milliseconds since the epoch, new every so often. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
