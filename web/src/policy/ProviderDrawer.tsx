import { Alert, Button, Drawer, Group, PasswordInput, Stack } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { useConfirm } from '../app/useConfirm'
import { sortRefusals } from '../graphql/errors'
import {
  CreateAuthProviderDocument,
  DeleteAuthProviderDocument,
  ProviderFieldsDocument,
  UpdateAuthProviderDocument,
  type AuthProviderKind,
  type ProviderPartsFragment,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { useMay } from '../user/viewer'
import { ProviderInput } from './ProviderInput'
import { splitFields, toChange, type ProviderConfig, type ProviderField } from './providerFields'

const words = messages.providers

export interface ProviderDraft {
  kind: AuthProviderKind
  /** null: a new one. */
  provider: ProviderPartsFragment | null
}

interface ProviderDrawerProps {
  draft: ProviderDraft | null
  onClose: () => void
}

/** How a provider is asked, and what follows for who signs in with it. */
export function ProviderDrawer({ draft, onClose }: ProviderDrawerProps) {
  const title = draft?.provider ? words.edit(draft.provider.name) : draft ? words.add[draft.kind] : ''
  return (
    <Drawer
      opened={draft !== null}
      onClose={onClose}
      position="right"
      size="lg"
      title={title}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {draft && <LoadedForm draft={draft} onDone={onClose} />}
    </Drawer>
  )
}

interface FormProps {
  draft: ProviderDraft
  onDone: () => void
}

function LoadedForm({ draft, onDone }: FormProps) {
  const query = useLoaded({ query: ProviderFieldsDocument, variables: { kind: draft.kind } })
  return (
    <LoadedView query={query} rows={8}>
      {({ authProviderFields, levels }) => (
        <ProviderForm
          draft={draft}
          fields={authProviderFields}
          levels={levels.map(({ name }) => name)}
          onDone={onDone}
        />
      )}
    </LoadedView>
  )
}

interface ProviderFormProps extends FormProps {
  fields: readonly ProviderField[]
  levels: readonly string[]
}

/** Only what was touched is written; the secret goes in and never comes out. */
function ProviderForm({ draft: { kind, provider }, fields, levels, onDone }: ProviderFormProps) {
  const [edit, setEdit] = useState<ProviderConfig>({})
  const [secret, setSecret] = useState('')
  const [isMoreShown, setIsMoreShown] = useState(false)
  const may = useMay()
  const create = useAction(CreateAuthProviderDocument)
  const update = useAction(UpdateAuthProviderDocument)
  const remove = useAction(DeleteAuthProviderDocument, ['AuthProvider'])
  const action = provider ? update : create
  const refusal = sortRefusals(
    action.errors,
    fields.map(({ name }) => name),
  )
  const saved = (provider?.config ?? {}) as ProviderConfig
  const { first, more } = splitFields(fields)

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const { set, unset } = toChange(edit, fields)
    const given = secret === '' ? null : secret
    const payload = provider
      ? await update.act({ id: provider.id, expectedVersion: provider.version, set, unset, secret: given })
      : await create.act({ kind, config: set, secret: given })
    if (payload) onDone()
  }

  function input(field: ProviderField) {
    const { name } = field
    return (
      <ProviderInput
        key={name}
        field={field}
        value={name in edit ? edit[name] : (saved[name] ?? field.default)}
        levels={levels}
        error={refusal.fields[name]}
        onChange={(value) => setEdit({ ...edit, [name]: value })}
      />
    )
  }

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        {first.map(input)}
        <PasswordInput
          label={words.secret[kind]}
          description={provider?.hasSecret ? words.secretKept : words.secretHint}
          placeholder={provider?.hasSecret ? '••••••••' : ''}
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': messages.password.show }}
          disabled={!may('secrets.edit')}
          value={secret}
          onChange={(event) => setSecret(event.currentTarget.value)}
        />
        {isMoreShown ? (
          more.map(input)
        ) : (
          <Button
            variant="subtle"
            size="compact-sm"
            style={{ alignSelf: 'flex-start' }}
            onClick={() => setIsMoreShown(true)}
          >
            {words.more}
          </Button>
        )}
        {kind === 'OIDC' && !provider && (
          <Alert color="blue" variant="light">
            {words.callbackHint}
          </Alert>
        )}
        <Refused message={action.errors.length > 0 ? hiddenOrForm() : action.problem} />
        <Refused message={remove.problem} />
        <Group justify="space-between">
          <Button type="submit" loading={action.isBusy}>
            {provider ? words.save : words.create}
          </Button>
          {provider && (
            <RemoveProvider
              name={provider.name}
              onRemove={async () => {
                if (await remove.act({ id: provider.id })) onDone()
              }}
            />
          )}
        </Group>
      </Stack>
    </form>
  )

  /** What is wrong at a field that is folded away is said here. */
  function hiddenOrForm(): string | null {
    const hidden = isMoreShown ? [] : more.map(({ name }) => refusal.fields[name])
    const said = [refusal.form, ...hidden].filter((message) => message)
    return said.length > 0 ? said.join(' ') : null
  }
}

function RemoveProvider({ name, onRemove }: { name: string; onRemove: () => Promise<void> }) {
  const [confirm, dialog] = useConfirm()
  const ask = () =>
    confirm({
      title: words.removeTitle(name),
      hint: words.removeHint,
      yes: words.remove,
      color: 'red',
      onYes: onRemove,
    })
  return (
    <>
      <Button variant="subtle" color="red" onClick={ask}>
        {words.remove}
      </Button>
      {dialog}
    </>
  )
}
