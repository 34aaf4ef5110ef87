import { useState } from 'react'
import { useClient } from 'urql'
import { messages } from '../../app/messages'
import { describeFailure, sortRefusals, type Refusal } from '../../graphql/errors'
import { CreateEnvironmentDocument, type CreateEnvironmentInput } from '../../graphql/generated/documents'

const MOST_NAMES_TRIED = 20
const NOTHING: Refusal<'name'> = { fields: {}, form: null }

/** What an environment is made from: one of config, example and copyOf, and perhaps the datasets. */
export type Source = Omit<CreateEnvironmentInput, 'name'>

interface Create {
  /** The id of the new environment; null when that was refused, with the reason in `refusal`. */
  create: (source: Source, name: { wanted: string; isFixed: boolean }) => Promise<string | null>
  isBusy: boolean
  refusal: Refusal<'name'>
}

/** Make an environment. A name that nobody chose gets a number behind it when it is taken. */
export function useCreate(): Create {
  const client = useClient()
  const [isBusy, setIsBusy] = useState(false)
  const [refusal, setRefusal] = useState(NOTHING)

  async function tryNames(source: Source, names: readonly string[]): Promise<string | null> {
    for (const name of names) {
      const { data, error } = await client.mutation(CreateEnvironmentDocument, { input: { ...source, name } })
      const { environment, errors } = data?.createEnvironment ?? { environment: null, errors: [] }
      if (environment) return environment.id
      setRefusal(error ? { fields: {}, form: describeFailure(error) } : sortRefusals(errors, ['name']))
      if (!errors.some(({ code }) => code === 'NAME_TAKEN')) return null
    }
    return null
  }

  async function create(source: Source, name: { wanted: string; isFixed: boolean }): Promise<string | null> {
    setIsBusy(true)
    setRefusal(NOTHING)
    const id = await tryNames(source, name.isFixed ? [name.wanted] : freeNames(name.wanted))
    setIsBusy(false)
    if (id !== null) setRefusal(NOTHING)
    return id
  }

  return { create, isBusy, refusal }
}

function freeNames(name: string): string[] {
  return [
    name,
    ...Array.from({ length: MOST_NAMES_TRIED - 1 }, (_, index) => messages.examples.numbered(name, index + 2)),
  ]
}
