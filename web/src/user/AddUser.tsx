import { Button, Group, Modal, Stack, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { ShownOnce } from '../app/ShownOnce'
import { sortRefusals } from '../graphql/errors'
import { CreateUserDocument, LevelChoicesDocument, type LevelChoicesQuery } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { LevelSelect } from './LevelSelect'
import { NewPasswordInput } from './NewPasswordInput'
import { makePassword } from './password'
import { checkAccount, type AccountForm, type AccountProblems } from './setupRules'

const words = messages.users
const EMPTY: AccountForm = { email: '', username: '', password: '' }
const USUAL_LEVEL = 'researcher'

interface Added {
  username: string
  password: string
}

interface AddUserProps {
  isOpen: boolean
  onClose: () => void
}

/** Two pages of one dialog: who it is, then the password to pass on, shown once. */
export function AddUser({ isOpen, onClose }: AddUserProps) {
  const choices = useLoaded({ query: LevelChoicesDocument, variables: {}, pause: !isOpen })
  const [added, setAdded] = useState<Added | null>(null)
  function close() {
    setAdded(null)
    onClose()
  }
  const isDone = added !== null
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={isDone ? words.added(added.username) : words.addTitle}
      closeOnClickOutside={false}
      closeOnEscape={!isDone}
      withCloseButton={!isDone}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {isDone ? (
        <ShownOnce
          secret={added.password}
          label={words.password}
          hint={messages.password.once}
          done={messages.password.saved}
          onDone={close}
        />
      ) : (
        <LoadedView query={choices} rows={4}>
          {(data) => <AccountFields choices={data} onAdded={setAdded} />}
        </LoadedView>
      )}
    </Modal>
  )
}

interface AccountFieldsProps {
  choices: LevelChoicesQuery
  onAdded: (added: Added) => void
}

function AccountFields({ choices, onAdded }: AccountFieldsProps) {
  const [form, setForm] = useState(EMPTY)
  const [levels, setLevels] = useState<string[]>([USUAL_LEVEL])
  const [problems, setProblems] = useState<AccountProblems>({})
  const [isVisible, setIsVisible] = useState(false)
  const create = useAction(CreateUserDocument)
  const refusal = sortRefusals(create.errors, ['email', 'username', 'password', 'levels'])

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const found = checkAccount(form)
    setProblems(found)
    if (Object.keys(found).length > 0 || levels.length === 0) return
    const username = form.username.trim()
    const input = { email: form.email.trim(), username, password: form.password, levels }
    if (await create.act(input)) onAdded({ username, password: form.password })
  }

  function change(field: keyof AccountForm, value: string) {
    setForm({ ...form, [field]: value })
    setProblems({ ...problems, [field]: undefined })
  }

  function bind(field: keyof AccountForm) {
    return {
      value: form[field],
      error: problems[field] ?? refusal.fields[field],
      onChange: (event: { currentTarget: HTMLInputElement }) => change(field, event.currentTarget.value),
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <TextInput label={words.username} autoComplete="off" data-autofocus {...bind('username')} />
        <TextInput label={words.email} type="email" autoComplete="off" {...bind('email')} />
        <LevelSelect
          label={words.levels}
          description={words.levelsHint}
          levels={choices.levels}
          allPermissions={choices.permissions.map(({ name }) => name)}
          value={levels}
          onChange={setLevels}
          error={levels.length === 0 ? words.pickLevels : refusal.fields.levels}
        />
        <div>
          <NewPasswordInput
            label={words.password}
            visible={isVisible}
            onVisibilityChange={setIsVisible}
            {...bind('password')}
          />
          <Button
            variant="subtle"
            size="compact-sm"
            mt={6}
            onClick={() => {
              change('password', makePassword())
              setIsVisible(true)
            }}
          >
            {messages.password.generate}
          </Button>
        </div>
        <Refused message={create.errors.length > 0 ? refusal.form : create.problem} />
        <Group justify="flex-end">
          <Button type="submit" loading={create.isBusy}>
            {words.add}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
