/** What the audit page shows, as it stands in the address. */
export interface AuditFilters {
  actorId: string | null
  action: string | null
  last: Span | null
}

export type Span = keyof typeof SPANS_MS

const HOUR_MS = 3_600_000
export const SPANS_MS = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, month: 30 * 24 * HOUR_MS }

export function readFilters(search: URLSearchParams): AuditFilters {
  const last = search.get('last')
  return {
    actorId: search.get('actor'),
    action: search.get('action'),
    last: last !== null && isSpan(last) ? last : null,
  }
}

export function isSpan(text: string): text is Span {
  return Object.hasOwn(SPANS_MS, text)
}

/** The filters as the service takes them; `now` in milliseconds since the epoch. */
export function toFilter({ actorId, action, last }: AuditFilters, now: number) {
  return { actorId, action, since: last === null ? null : new Date(now - SPANS_MS[last]).toISOString() }
}

/** The address of a file with all that the filters let through. */
export function exportAddress(filters: AuditFilters, now: number): string {
  const { actorId, action, since } = toFilter(filters, now)
  const given = Object.entries({ actor: actorId, action, since }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  const query = new URLSearchParams(given).toString()
  return query === '' ? '/api/audit/export' : `/api/audit/export?${query}`
}

/** "session 1f…" is a browser: how it came in, without which one. */
export function viaKind(via: string, kinds: readonly string[]): string {
  return kinds.find((kind) => via === kind || via.startsWith(`${kind} `)) ?? via
}
