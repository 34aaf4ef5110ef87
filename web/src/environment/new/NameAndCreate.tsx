import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useState, type ReactNode, type SyntheticEvent } from 'react'
import { useLocation } from 'wouter'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { routes } from '../../app/routes'
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
  const [, navigate] = useLocation()
  const { create, isBusy, refusal } = useCreate()
  const name = typed ?? suggestion

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
        <TextInput
          label={words.name}
          description={words.nameHint}
          maw={400}
          value={name}
          error={refusal.fields.name}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Refused message={refusal.form} />
        <Group>
          <Button type="submit" loading={isBusy} disabled={source === null || name.trim() === ''}>
            {words.create}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
