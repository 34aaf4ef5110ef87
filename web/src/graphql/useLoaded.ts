import type { AnyVariables, CombinedError } from '@urql/core'
import { useState } from 'react'
import { useQuery, type UseQueryArgs } from 'urql'

export interface Loaded<Data> {
  /** The newest answer; it stays when asking again fails, which `error` tells. */
  data: Data | undefined
  error: CombinedError | undefined
  isBusy: boolean
  refresh: () => void
}

/** A query that shows what is known and asks anew whenever its page is opened. */
export function useLoaded<Data, Variables extends AnyVariables>(args: UseQueryArgs<Variables, Data>): Loaded<Data> {
  const [{ data, error, fetching, stale }, ask] = useQuery<Data, Variables>({
    ...args,
    requestPolicy: args.requestPolicy ?? 'cache-and-network',
  })
  const [last, setLast] = useState<Data>()
  if (data !== undefined && data !== last) setLast(data)
  return {
    data: data ?? last,
    error,
    isBusy: fetching || stale,
    refresh: () => ask({ requestPolicy: 'network-only' }),
  }
}
