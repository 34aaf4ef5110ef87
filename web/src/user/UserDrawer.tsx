import { Alert, Button, Drawer, Group, Stack, Switch, Text, TextInput, Title } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import { UpdateUserDocument, UserAccountDocument, type UserAccountQuery } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { effectiveRights } from '../policy/permissions'
import { LevelSelect } from './LevelSelect'
import { RightSelect } from './RightSelect'
import { UserAccess } from './UserAccess'
import { useMay } from './viewer'

const words = messages.users
type Account = Extract<NonNullable<UserAccountQuery['node']>, { username: string }>

interface UserDrawerProps {
  userId: string | null
  onClose: () => void
}

/** Everything about one account, beside the list. */
export function UserDrawer({ userId, onClose }: UserDrawerProps) {
  return (
    <Drawer
      opened={userId !== null}
      onClose={onClose}
      position="right"
      size="md"
      title={words.editTitle}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {userId !== null && <LoadedAccount key={userId} userId={userId} />}
    </Drawer>
  )
}

function LoadedAccount({ userId }: { userId: string }) {
  const may = useMay()
  const query = useLoaded({
    query: UserAccountDocument,
    variables: { id: userId, withKeys: may('api.keys.all') },
    requestPolicy: 'cache-and-network',
  })
  const [edition, setEdition] = useState(0)
  return (
    <LoadedView query={query} rows={6}>
      {({ node, ...choices }) =>
        isAccount(node) ? (
          <Stack gap="xl">
            <AccountForm
              key={edition}
              account={node}
              choices={choices}
              onReload={() => {
                query.refresh()
                setEdition(edition + 1)
              }}
            />
            <UserAccess sessions={node.sessions ?? []} apiKeys={node.apiKeys ?? null} />
          </Stack>
        ) : (
          <Notice title={words.missing} hint={words.missingHint} />
        )
      }
    </LoadedView>
  )
}

/** An id that is not a user's, or nobody's any more, leads to nothing. */
function isAccount(node: UserAccountQuery['node']): node is Account {
  return node !== null && 'username' in node
}

interface AccountFormProps {
  account: Account
  choices: Omit<UserAccountQuery, 'node'>
  onReload: () => void
}

/** What was not touched follows the newest account; what was is kept until it is saved or given up. */
function AccountForm({ account, choices, onReload }: AccountFormProps) {
  const [edit, setEdit] = useState<Partial<Editable>>({})
  // Changes are made to what the form has shown: the version from when the first of them was typed.
  const [version, setVersion] = useState<number | null>(null)
  const [isSaved, setIsSaved] = useState(false)
  const update = useAction(UpdateUserDocument)
  const refusal = sortRefusals(update.errors, ['username', 'email', 'levels', 'grants', 'denials'])
  const isStale = update.errors.some(({ code }) => code === 'STALE_VERSION')
  const form: Editable = { ...editableOf(account), ...edit }
  const allPermissions = choices.permissions.map(({ name }) => name)
  const isChanged = Object.keys(edit).length > 0

  function change(changed: Partial<Editable>) {
    setEdit({ ...edit, ...changed })
    setVersion(version ?? account.version)
    setIsSaved(false)
  }

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if ((await update.act({ id: account.id, expectedVersion: version, ...edit })) === null) return
    setEdit({})
    setVersion(null)
    setIsSaved(true)
  }

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <TextInput
          label={words.username}
          autoComplete="off"
          value={form.username}
          onChange={(event) => change({ username: event.currentTarget.value })}
          error={refusal.fields.username}
        />
        <TextInput
          label={words.email}
          type="email"
          autoComplete="off"
          value={form.email}
          onChange={(event) => change({ email: event.currentTarget.value })}
          error={refusal.fields.email}
        />
        <LevelSelect
          label={words.levels}
          description={words.levelsHint}
          levels={choices.levels}
          allPermissions={allPermissions}
          value={form.levels}
          onChange={(levels) => change({ levels })}
          error={form.levels.length === 0 ? words.pickLevels : refusal.fields.levels}
        />
        <PersonalRights form={form} rights={choices.permissions} fields={refusal.fields} onChange={change} />
        <Text fz="sm" c="dimmed">
          {words.comesTo(effectiveRights(form, choices.levels, allPermissions).length, allPermissions.length)}
        </Text>
        <Switch
          label={words.disabled}
          description={words.disabledHint}
          checked={form.disabled}
          onChange={(event) => change({ disabled: event.currentTarget.checked })}
        />
        {isStale ? (
          <Alert color="yellow" variant="light" role="alert">
            <Stack gap="xs" align="flex-start">
              {words.stale}
              <Button size="xs" onClick={onReload}>
                {words.loadNewest}
              </Button>
            </Stack>
          </Alert>
        ) : (
          <Refused message={update.errors.length > 0 ? refusal.form : update.problem} />
        )}
        <Group>
          <Button type="submit" loading={update.isBusy} disabled={!isChanged || form.levels.length === 0}>
            {words.save}
          </Button>
          <Text fz="sm" c="teal" role="status">
            {isSaved && words.saved}
          </Text>
        </Group>
      </Stack>
    </form>
  )
}

interface Editable {
  username: string
  email: string
  levels: string[]
  grants: string[]
  denials: string[]
  disabled: boolean
}

function editableOf(account: Account): Editable {
  return {
    username: account.username,
    email: account.email ?? '',
    levels: account.levels?.map(({ name }) => name) ?? [],
    grants: account.grants ?? [],
    denials: account.denials ?? [],
    disabled: account.disabled ?? false,
  }
}

interface PersonalRightsProps {
  form: Editable
  rights: UserAccountQuery['permissions']
  fields: Partial<Record<string, string>>
  onChange: (changed: Partial<Editable>) => void
}

/** Rarely needed, so closed at first where there are none. */
function PersonalRights({ form, rights, fields, onChange }: PersonalRightsProps) {
  const [isOpen, setIsOpen] = useState(form.grants.length + form.denials.length > 0)
  if (!isOpen)
    return (
      <Button variant="subtle" size="compact-sm" onClick={() => setIsOpen(true)} style={{ alignSelf: 'flex-start' }}>
        {words.advanced}
      </Button>
    )
  return (
    <Stack gap="sm" component="section" aria-label={words.advanced}>
      <Title order={3} fz="sm">
        {words.advanced}
      </Title>
      <RightSelect
        label={words.grants}
        description={words.grantsHint}
        rights={rights}
        value={form.grants}
        onChange={(grants) => onChange({ grants })}
        error={fields.grants}
      />
      <RightSelect
        label={words.denials}
        description={words.denialsHint}
        rights={rights}
        value={form.denials}
        onChange={(denials) => onChange({ denials })}
        error={fields.denials}
      />
    </Stack>
  )
}
