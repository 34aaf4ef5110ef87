import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useState, type ReactNode, type SyntheticEvent } from 'react'
import { useClient } from 'urql'
import { useLocation } from 'wouter'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { routes } from '../../app/routes'
import { describeFailure } from '../../graphql/errors'
import { RandomEnvironmentNameDocument } from '../../graphql/generated/documents'
import { useCreate, type Source } from './useCreate'

const words = messages.newEnvironment

interface NameAndCreateProps {
  /** Null until it is chosen. */
  source: Source | null
  /** What it is called when nobody says otherwise. */
  suggestion: string
  children: ReactNode
}

/** A form with what the environment is made from, its name, and the button that makes it. */
export function NameAndCreate({ source, suggestion, children }: NameAndCreateProps) {
  const [typed, setTyped] = useState<string | null>(null)
  const [isPicking, setIsPicking] = useState(false)
  const [pickProblem, setPickProblem] = useState<string | null>(null)
  const client = useClient()
  const [, navigate] = useLocation()
  const { create, isBusy, refusal } = useCreate()
  const name = typed ?? suggestion

  async function pickName() {
    setIsPicking(true)
    const { data, error } = await client.query(RandomEnvironmentNameDocument, {}, { requestPolicy: 'network-only' })
    setIsPicking(false)
    setPickProblem(error ? describeFailure(error) : null)
    if (data) setTyped(data.randomEnvironmentName)
  }

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if (source === null) return
    const id = await create(source, { wanted: name.trim(), isFixed: typed !== null })
    if (id !== null) navigate(routes.environment(id))
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="lg">
        {children}
        <Group align="flex-end" gap="xs">
          <TextInput
            label={words.name}
            description={words.nameHint}
            flex="1 1 240px"
            maw={400}
            value={name}
            error={refusal.fields.name}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Button variant="default" loading={isPicking} onClick={() => void pickName()}>
            {words.randomName}
          </Button>
        </Group>
        <Refused message={refusal.form ?? pickProblem} />
        <Group>
          <Button type="submit" loading={isBusy} disabled={source === null || name.trim() === ''}>
            {words.create}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
