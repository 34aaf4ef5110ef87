/** The parameters of an address with one of them set, or removed when it is null. */
export function withParameter(search: URLSearchParams, key: string, value: string | null): URLSearchParams {
  const changed = new URLSearchParams(search)
  if (value === null) changed.delete(key)
  else changed.set(key, value)
  return changed
}
