import { messages } from './messages'

const { units } = messages
const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const integer = new Intl.NumberFormat(messages.locale, { maximumFractionDigits: 0 })
const decimal = new Intl.NumberFormat(messages.locale, { maximumSignificantDigits: 3 })
const tenth = new Intl.NumberFormat(messages.locale, { maximumFractionDigits: 1 })
const relative = new Intl.RelativeTimeFormat(messages.locale, { numeric: 'auto' })
const absolute = new Intl.DateTimeFormat(messages.locale, { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat(messages.locale, { timeStyle: 'medium', hourCycle: 'h23' })

export function formatCount(value: number): string {
  return integer.format(value)
}

/** "1,200 / 2,000", or only the step while the total is unknown. */
export function formatSteps(step: number, total: number | null): string {
  return total === null ? formatCount(step) : `${formatCount(step)} / ${formatCount(total)}`
}

/** The share of the run that is done, 0 to 1, as whole percent; 100 % only when it is complete. */
export function formatPercent(progress: number): string {
  const percent = Math.round(clampShare(progress) * 100)
  return units.percent(String(percent === 100 && progress < 1 ? 99 : percent))
}

export function clampShare(progress: number): number {
  return Number.isFinite(progress) ? Math.min(1, Math.max(0, progress)) : 0
}

/** A metric's value with a constant number of digits, so that it does not dance: 0.0312, 1.0e-4, 12.34. */
export function formatMetric(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return messages.none
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2)
  if (size < 10) return value.toFixed(4)
  return value.toFixed(size < 1000 ? 2 : 0)
}

/** Seconds in the two largest units: "45 s", "3 min 20 s", "2 h 05 min", "1 d 4 h". */
export function formatDuration(duration: number | null | undefined): string {
  if (duration === null || duration === undefined || !Number.isFinite(duration)) return messages.none
  const whole = Math.max(0, Math.round(duration))
  const days = units.days(String(Math.floor(whole / DAY)))
  const hours = units.hours(String(Math.floor((whole % DAY) / HOUR)))
  const minutes = Math.floor((whole % HOUR) / MINUTE)
  const seconds = whole % MINUTE
  if (whole < MINUTE) return units.seconds(String(seconds))
  if (whole < HOUR) return `${units.minutes(String(minutes))} ${units.seconds(pad(seconds))}`
  if (whole < DAY) return `${hours} ${units.minutes(pad(minutes))}`
  return `${days} ${hours}`
}

/** A short duration, to the tenth: "5.1 s". */
export function formatSeconds(duration: number): string {
  return units.seconds(tenth.format(duration))
}

/** Steps a second, or seconds a step when it takes longer than one. */
export function formatSpeed(stepsPerSecond: number | null | undefined): string {
  if (!stepsPerSecond || !Number.isFinite(stepsPerSecond)) return messages.none
  if (stepsPerSecond >= 1) return units.stepsPerSecond(stepsPerSecond.toFixed(2))
  return units.secondsPerStep((1 / stepsPerSecond).toFixed(2))
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${decimal.format(value)} ${units[unit] ?? ''}`
}

/** "3 minutes ago" as of now, both in milliseconds since the epoch. */
export function formatRelative(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000)
  const size = Math.abs(seconds)
  if (size < 10) return relative.format(0, 'second')
  if (size < MINUTE) return relative.format(Math.round(seconds / 10) * 10, 'second')
  if (size < HOUR) return relative.format(Math.trunc(seconds / MINUTE), 'minute')
  if (size < DAY) return relative.format(Math.trunc(seconds / HOUR), 'hour')
  if (size < 30 * DAY) return relative.format(Math.trunc(seconds / DAY), 'day')
  if (size < 365 * DAY) return relative.format(Math.trunc(seconds / (30 * DAY)), 'month')
  return relative.format(Math.trunc(seconds / (365 * DAY)), 'year')
}

export function formatAbsolute(at: string): string {
  return absolute.format(new Date(at))
}

export function formatClock(at: string): string {
  return clock.format(new Date(at))
}

/** A message of the service with a capital at its start, unless it starts with the name of an option or a path. */
export function toSentence(message: string): string {
  return /^[a-z]+([ ,:;]|$)/.test(message) ? message.charAt(0).toUpperCase() + message.slice(1) : message
}

/** A name of the wire as words: "grad_norm" becomes "Grad norm". */
export function formatName(name: string, known: Record<string, string>): string {
  const words = name.replaceAll('_', ' ')
  return known[name] ?? words.charAt(0).toUpperCase() + words.slice(1)
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
