import { Button, Group, Modal, NativeSelect, PasswordInput, SegmentedControl, Stack, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import { SetSecretDocument, type SecretKind, type SecretScope } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useMay } from './viewer'

const words = messages.secrets
const KINDS: SecretKind[] = ['HUGGING_FACE', 'WANDB', 'OTHER']
const SCOPES: SecretScope[] = ['PERSONAL', 'SHARED']

interface SetSecretProps {
  isOpen: boolean
  onClose: () => void
}

/** A dialog that stores a token. What was typed is forgotten when it closes. */
export function SetSecret({ isOpen, onClose }: SetSecretProps) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={words.store} closeButtonProps={{ 'aria-label': messages.close }}>
      <SecretForm onStored={onClose} />
    </Modal>
  )
}

function SecretForm({ onStored }: { onStored: () => void }) {
  const may = useMay()
  const [kind, setKind] = useState<SecretKind>('HUGGING_FACE')
  const [scope, setScope] = useState<SecretScope>('PERSONAL')
  const [name, setName] = useState('')
  const [value, setValue] = useState('')
  const store = useAction(SetSecretDocument, ['Secret'])
  const refusal = sortRefusals(store.errors, ['name', 'value'])
  const isNamed = kind === 'OTHER'

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if (await store.act({ kind, scope, value: value.trim(), name: isNamed ? name.trim() : null })) onStored()
  }

  return (
    <form onSubmit={(event) => void submit(event)} autoComplete="off">
      <Stack>
        <NativeSelect
          label={words.kind}
          data={KINDS.map((each) => ({ value: each, label: words.kinds[each] }))}
          value={kind}
          onChange={(event) => setKind(event.currentTarget.value as SecretKind)}
        />
        {isNamed && (
          <TextInput
            label={words.name}
            description={words.nameHint}
            autoComplete="off"
            spellCheck={false}
            value={name}
            error={refusal.fields.name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        )}
        <PasswordInput
          label={words.value}
          description={words.valueHints[kind]}
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': messages.password.show }}
          value={value}
          error={refusal.fields.value}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        {may('secrets.edit') && (
          <SegmentedControl
            aria-label={words.columns.scope}
            data={SCOPES.map((each) => ({ value: each, label: words.scopes[each] }))}
            value={scope}
            onChange={setScope}
          />
        )}
        <Refused message={store.errors.length > 0 ? refusal.form : store.problem} />
        <Group justify="flex-end">
          <Button
            type="submit"
            loading={store.isBusy}
            disabled={value.trim() === '' || (isNamed && name.trim() === '')}
          >
            {words.storeYes}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
