import { useState } from 'react'
import { useClient } from 'urql'
import { messages } from '../app/messages'
import { describeFailure, sortRefusals } from '../graphql/errors'
import { CreateEnvironmentDocument } from '../graphql/generated/documents'

const MOST_NAMES_TRIED = 20

interface UseExample {
  /** Create an environment from an example; null when that was refused, with the reason in `problem`. */
  create: (example: { key: string }, name?: string) => Promise<string | null>
  isBusy: boolean
  problem: string | null
}

/** Examples become environments. Without a name it is the example's own, with a number behind it when that is taken. */
export function useExample(): UseExample {
  const client = useClient()
  const [isBusy, setIsBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)

  async function tryNames(example: string, names: readonly string[]): Promise<string | null> {
    for (const name of names) {
      const { data, error } = await client.mutation(CreateEnvironmentDocument, { input: { name, example } })
      const { environment, errors } = data?.createEnvironment ?? { environment: null, errors: [] }
      if (environment) return environment.id
      setProblem(error ? describeFailure(error) : sortRefusals(errors, []).form)
      if (!errors.some(({ code }) => code === 'NAME_TAKEN')) return null
    }
    return null
  }

  async function create(example: { key: string }, name?: string): Promise<string | null> {
    setIsBusy(true)
    setProblem(null)
    const id = await tryNames(example.key, name === undefined ? freeNames(example.key) : [name])
    setIsBusy(false)
    if (id !== null) setProblem(null)
    return id
  }

  return { create, isBusy, problem }
}

function freeNames(name: string): string[] {
  return [
    name,
    ...Array.from({ length: MOST_NAMES_TRIED - 1 }, (_, index) => messages.examples.numbered(name, index + 2)),
  ]
}
