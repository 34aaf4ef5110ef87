import { Button, Group, Modal, MultiSelect, NativeSelect, Stack, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { ShownOnce } from '../app/ShownOnce'
import { sortRefusals } from '../graphql/errors'
import { CreateApiKeyDocument } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useViewer } from './viewer'

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
      {hasSecret ? (
        <ShownOnce secret={secret} label={words.title} hint={words.secretHint} done={words.done} onDone={close} />
      ) : (
        <KeyForm onCreated={setSecret} />
      )}
    </Modal>
  )
}

function KeyForm({ onCreated }: { onCreated: (secret: string) => void }) {
  const [name, setName] = useState('')
  const [expiry, setExpiry] = useState('never')
  const [permissions, setPermissions] = useState<string[]>([])
  const viewer = useViewer()
  const create = useAction(CreateApiKeyDocument)
  const refusal = sortRefusals(create.errors, ['name', 'permissions', 'expiresAt'])

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const days = Number(expiry)
    const expiresAt = Number.isNaN(days) ? null : new Date(Date.now() + days * DAY_MS).toISOString()
    const payload = await create.act({
      name: name.trim(),
      permissions: permissions.length > 0 ? permissions : null,
      expiresAt,
    })
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
        <MultiSelect
          label={words.permissions}
          description={words.permissionsHint}
          data={viewer.permissions}
          value={permissions}
          onChange={setPermissions}
          error={refusal.fields.permissions}
          searchable
          clearable
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
