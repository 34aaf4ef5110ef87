import { Badge, Button, Group, Paper, PasswordInput, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { Check } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { Panel } from '../app/Panel'
import { Time } from '../app/Time'
import { sortRefusals } from '../graphql/errors'
import {
  AccountDocument,
  ChangePasswordDocument,
  UpdateProfileDocument,
  type AccountQuery,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { RightsList } from '../policy/RightsList'
import { NewPasswordInput } from './NewPasswordInput'

const words = messages.account

/** Who one is, what one may do, and the password. */
export function Profile() {
  const query = useLoaded({ query: AccountDocument, variables: {} })
  if (query.data === undefined)
    return (
      <Paper withBorder>
        <LoadedView query={query}>{() => null}</LoadedView>
      </Paper>
    )
  return (
    <LoadedView query={query}>
      {({ viewer, permissions }) => (
        <SimpleGrid cols={{ base: 1, md: 2 }} verticalSpacing="md">
          <Stack>
            <Panel title={words.profile}>
              <NameForm user={viewer.user} />
            </Panel>
            <Panel title={words.password}>
              <PasswordForm />
            </Panel>
          </Stack>
          <Stack>
            <Panel title={words.levels}>
              <LevelList levels={viewer.levels} />
            </Panel>
            <Panel title={words.rights}>
              <RightsList
                rights={permissions.filter(({ name }) => viewer.permissions.includes(name))}
                empty={words.noRights}
              />
            </Panel>
          </Stack>
        </SimpleGrid>
      )}
    </LoadedView>
  )
}

function NameForm({ user }: { user: AccountQuery['viewer']['user'] }) {
  const [typed, setTyped] = useState<string | null>(null)
  const update = useAction(UpdateProfileDocument)
  const refusal = sortRefusals(update.errors, ['username'])
  const [isSaved, setIsSaved] = useState(false)
  const username = typed ?? user.username
  const isChanged = username.trim() !== user.username && username.trim() !== ''

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if (!isChanged) return
    if (await update.act({ username: username.trim() })) {
      setTyped(null)
      setIsSaved(true)
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <TextInput
          label={words.username}
          autoComplete="username"
          value={username}
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            setIsSaved(false)
          }}
          error={refusal.fields.username}
        />
        <TextInput
          label={words.email}
          description={words.emailHint}
          value={user.email ?? ''}
          readOnly
          variant="filled"
        />
        {user.createdAt && (
          <Text fz="sm" c="dimmed">
            {words.since} <Time at={user.createdAt} />
          </Text>
        )}
        <Refused message={update.errors.length > 0 ? refusal.form : update.problem} />
        <Group>
          <Button type="submit" loading={update.isBusy} disabled={!isChanged}>
            {words.save}
          </Button>
          <Done message={isSaved ? words.saved : null} />
        </Group>
      </Stack>
    </form>
  )
}

function PasswordForm() {
  const [current, setCurrent] = useState('')
  const [chosen, setChosen] = useState('')
  const [isDone, setIsDone] = useState(false)
  const change = useAction(ChangePasswordDocument, ['Session'])
  const refusal = sortRefusals(change.errors, ['currentPassword', 'newPassword'])

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if (current === '' || chosen === '') return
    setIsDone(false)
    if ((await change.act({ currentPassword: current, newPassword: chosen })) === null) return
    setCurrent('')
    setChosen('')
    setIsDone(true)
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <PasswordInput
          label={words.currentPassword}
          autoComplete="current-password"
          visibilityToggleButtonProps={{ 'aria-label': messages.password.show }}
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
          error={refusal.fields.currentPassword}
        />
        <NewPasswordInput
          label={words.newPassword}
          value={chosen}
          onChange={(event) => setChosen(event.currentTarget.value)}
          error={refusal.fields.newPassword}
        />
        <Refused message={change.errors.length > 0 ? refusal.form : change.problem} />
        <Group>
          <Button type="submit" loading={change.isBusy} disabled={current === '' || chosen === ''}>
            {words.changePassword}
          </Button>
          {!isDone && (
            <Text fz="sm" c="dimmed">
              {words.passwordHint}
            </Text>
          )}
        </Group>
        <Done message={isDone ? words.passwordChanged : null} />
      </Stack>
    </form>
  )
}

/** A word that it worked, where somebody who does not see it hears it. */
function Done({ message }: { message: string | null }) {
  return (
    <Group gap={6} c="teal" fz="sm" role="status">
      {message !== null && (
        <>
          <Check /> {message}
        </>
      )}
    </Group>
  )
}

function LevelList({ levels }: { levels: AccountQuery['viewer']['levels'] }) {
  if (levels.length === 0) return <Text c="dimmed">{messages.none}</Text>
  return (
    <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: 'none' }}>
      {levels.map(({ id, name, description }) => (
        <Group key={id} component="li" gap="sm" wrap="nowrap" align="baseline">
          <Badge variant="light" tt="none" fw={600} flex="none">
            {name}
          </Badge>
          <Text fz="sm" c="dimmed">
            {description}
          </Text>
        </Group>
      ))}
    </Stack>
  )
}
