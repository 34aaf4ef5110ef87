import { Alert, Button, Group, Modal, NativeSelect, Stack, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { CopyButton } from '../app/CopyButton'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import { CreateApiKeyDocument } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'

const words = messages.apiKeys
const DAY_MS = 86_400_000

interface CreateApiKeyProps {
  isOpen: boolean
  onClose: () => void
}

/** Two pages of one dialog: what the key is for, then its secret, shown once. */
export function CreateApiKey({ isOpen, onClose }: CreateApiKeyProps) {
  const [secret, setSecret] = useState<string | null>(null)
  function close() {
    setSecret(null)
    onClose()
  }
  const hasSecret = secret !== null
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={hasSecret ? words.secretTitle : words.createTitle}
      closeOnClickOutside={!hasSecret}
      closeOnEscape={!hasSecret}
      withCloseButton={!hasSecret}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {hasSecret ? <Secret secret={secret} onDone={close} /> : <KeyForm onCreated={setSecret} />}
    </Modal>
  )
}

function KeyForm({ onCreated }: { onCreated: (secret: string) => void }) {
  const [name, setName] = useState('')
  const [expiry, setExpiry] = useState('never')
  const create = useAction(CreateApiKeyDocument)
  const refusal = sortRefusals(create.errors, ['name', 'expiresAt'])

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const days = Number(expiry)
    const expiresAt = Number.isNaN(days) ? null : new Date(Date.now() + days * DAY_MS).toISOString()
    const payload = await create.act({ name: name.trim(), expiresAt })
    if (payload?.secret) onCreated(payload.secret)
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <TextInput
          label={words.name}
          description={words.nameHint}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={refusal.fields.name}
          data-autofocus
        />
        <NativeSelect
          label={words.expires}
          data={Object.entries(words.expiry).map(([value, label]) => ({ value, label }))}
          value={expiry}
          onChange={(event) => setExpiry(event.currentTarget.value)}
          error={refusal.fields.expiresAt}
        />
        <Refused message={create.errors.length > 0 ? refusal.form : create.problem} />
        <Group justify="flex-end">
          <Button type="submit" loading={create.isBusy} disabled={name.trim() === ''}>
            {words.create}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function Secret({ secret, onDone }: { secret: string; onDone: () => void }) {
  return (
    <Stack>
      <Alert color="yellow" variant="light">
        {words.secretHint}
      </Alert>
      <Group wrap="nowrap" align="flex-end">
        <TextInput
          aria-label={words.title}
          value={secret}
          readOnly
          flex={1}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          onFocus={(event) => event.currentTarget.select()}
        />
        <CopyButton text={secret} />
      </Group>
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          {words.done}
        </Button>
      </Group>
    </Stack>
  )
}
