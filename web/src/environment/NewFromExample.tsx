import { Button, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { useQuery } from 'urql'
import { useLocation } from 'wouter'
import { messages } from '../app/messages'
import { Failure, Refused } from '../app/Notice'
import { Pending } from '../app/Pending'
import { routes } from '../app/routes'
import { ExamplesDocument, type ExamplesQuery } from '../graphql/generated/documents'
import { useExample } from './useExample'

const words = messages.examples
type Example = ExamplesQuery['examples'][number]

interface NewFromExampleProps {
  isOpen: boolean
  onClose: () => void
}

export function NewFromExample({ isOpen, onClose }: NewFromExampleProps) {
  const [{ data, error }, refresh] = useQuery({ query: ExamplesDocument, pause: !isOpen })
  const [first] = data?.examples ?? []
  return (
    <Modal opened={isOpen} onClose={onClose} title={words.title} closeButtonProps={{ 'aria-label': messages.close }}>
      {data && first && <ExampleForm examples={data.examples} first={first} />}
      {data && !first && <Text c="dimmed">{words.empty}</Text>}
      {!data && error && <Failure error={error} onRetry={refresh} />}
      {!data && !error && <Pending rows={3} />}
    </Modal>
  )
}

function ExampleForm({ examples, first }: { examples: Example[]; first: Example }) {
  const [key, setKey] = useState(first.key)
  const [typedName, setTypedName] = useState<string | null>(null)
  const [, navigate] = useLocation()
  const { create, isBusy, problem } = useExample()
  const name = typedName ?? key

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const id = await create({ key }, name.trim())
    if (id !== null) navigate(routes.environment(id))
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <Radio.Group label={words.pick} value={key} onChange={setKey}>
          <Stack gap="sm" mt="xs">
            {examples.map((example) => (
              <Radio key={example.key} value={example.key} label={example.name} description={example.description} />
            ))}
          </Stack>
        </Radio.Group>
        <TextInput label={words.name} value={name} onChange={(event) => setTypedName(event.currentTarget.value)} />
        <Refused message={problem} />
        <Group justify="flex-end">
          <Button type="submit" loading={isBusy} disabled={name.trim() === ''}>
            {words.use}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
