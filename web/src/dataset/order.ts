/** The list with one entry moved up or down; one at the end stays there. */
export function moved<Item>(list: readonly Item[], from: number, by: number): Item[] {
  const rest = [...list]
  rest.splice(Math.max(0, from + by), 0, ...rest.splice(from, 1))
  return rest
}
