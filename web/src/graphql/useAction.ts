import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { useState } from 'react'
import { useMutation } from 'urql'
import { describeFailure, sortRefusals } from './errors'
import type { ErrorPartsFragment } from './generated/documents'

interface Payload {
  errors: readonly ErrorPartsFragment[]
}

export interface Action<Input, Result> {
  /** The payload when the service did it; null when it refused or could not be reached. */
  act: (input: Input) => Promise<Result | null>
  isBusy: boolean
  /** What the service refused in the last try. */
  errors: readonly ErrorPartsFragment[]
  /** Why the last try did not work, in one line. */
  problem: string | null
}

/**
 * A mutation of our shape: one field, one `input`, a payload with `errors`. changes: the types whose queries are asked
 * anew, beyond those in the answer.
 */
export function useAction<Data extends Record<keyof Data, Payload>, Input>(
  document: TypedDocumentNode<Data, { input: Input }>,
  changes: string[] = [],
): Action<Input, Data[keyof Data]> {
  const [{ fetching }, execute] = useMutation(document)
  const [errors, setErrors] = useState<readonly ErrorPartsFragment[]>([])
  const [failure, setFailure] = useState<string | null>(null)

  async function act(input: Input): Promise<Data[keyof Data] | null> {
    const { data, error } = await execute({ input }, { additionalTypenames: changes })
    const [payload] = data ? (Object.values(data) as Data[keyof Data][]) : []
    const refusals = payload?.errors ?? []
    setErrors(refusals)
    setFailure(error ? describeFailure(error) : null)
    return payload && refusals.length === 0 ? payload : null
  }

  return { act, isBusy: fetching, errors, problem: failure ?? sortRefusals(errors, []).form }
}
