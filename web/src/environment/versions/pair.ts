/** Two versions to be compared. */
export interface Pair {
  from: number
  to: number
}

/** Which versions the address asks for; what it leaves open, or cannot be, is the newest step. */
export function readPair(parameters: URLSearchParams, newest: number): Pair {
  const from = readNumber(parameters.get('from'), newest)
  const to = readNumber(parameters.get('to'), newest) ?? newest
  return { from: from ?? Math.max(1, to - 1), to }
}

function readNumber(text: string | null, newest: number): number | null {
  const number = Number(text)
  return text !== null && Number.isInteger(number) && number >= 1 && number <= newest ? number : null
}
