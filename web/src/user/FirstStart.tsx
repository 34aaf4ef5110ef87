import { Button, PasswordInput, Text, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import { CompleteSetupDocument } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { AuthCard } from './AuthCard'
import { checkSetup, type SetupForm, type SetupProblems } from './setupRules'

const words = messages.firstStart
const EMPTY: SetupForm = { email: '', username: '', password: '', confirmation: '', setupToken: '' }

interface FirstStartProps {
  /** The service can be reached from elsewhere, so it wants the token that it printed. */
  isTokenRequired: boolean
  onDone: () => void
}

/** The first page of a new installation: its administrator. */
export function FirstStart({ isTokenRequired, onDone }: FirstStartProps) {
  useDocumentTitle(messages.product)
  const [form, setForm] = useState(EMPTY)
  const [problems, setProblems] = useState<SetupProblems>({})
  const setup = useAction(CompleteSetupDocument)
  const refusal = sortRefusals(setup.errors, ['email', 'username', 'password', 'setupToken'])

  async function submit() {
    const found = checkSetup(form, { isTokenRequired })
    setProblems(found)
    if (Object.keys(found).length > 0) return
    const { email, username, password, setupToken } = form
    const token = isTokenRequired ? setupToken.trim() : null
    if (await setup.act({ email: email.trim(), username: username.trim(), password, setupToken: token })) onDone()
  }

  function bind(field: keyof SetupForm) {
    return {
      value: form[field],
      error: problems[field] ?? (field === 'confirmation' ? undefined : refusal.fields[field]),
      onChange: (event: { currentTarget: HTMLInputElement }) => {
        setForm({ ...form, [field]: event.currentTarget.value })
        setProblems({ ...problems, [field]: undefined })
      },
      required: true,
      withAsterisk: false,
    }
  }

  return (
    <AuthCard title={words.title} lead={words.lead} onSubmit={() => void submit()}>
      <TextInput label={words.email} type="email" autoComplete="email" autoFocus {...bind('email')} />
      <TextInput label={words.username} autoComplete="username" {...bind('username')} />
      <PasswordInput
        visibilityToggleButtonProps={{ 'aria-label': messages.showPassword }}
        label={words.password}
        description={words.passwordRule}
        autoComplete="new-password"
        {...bind('password')}
      />
      <PasswordInput
        visibilityToggleButtonProps={{ 'aria-label': messages.showPassword }}
        label={words.confirmation}
        autoComplete="new-password"
        {...bind('confirmation')}
      />
      {isTokenRequired && (
        <TextInput
          label={words.setupToken}
          description={words.setupTokenRule}
          autoComplete="off"
          {...bind('setupToken')}
        />
      )}
      <Refused message={setup.errors.length > 0 ? refusal.form : setup.problem} />
      <Button type="submit" loading={setup.isBusy} fullWidth mt="xs">
        {words.submit}
      </Button>
      {!isTokenRequired && (
        <Text c="dimmed" fz="xs" ta="center">
          {words.local}
        </Text>
      )}
    </AuthCard>
  )
}
