import { Anchor, Button, Text, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { routes } from '../app/routes'
import { sortRefusals } from '../graphql/errors'
import { RegisterDocument } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { AuthCard } from './AuthCard'
import { NewPasswordInput } from './NewPasswordInput'
import { checkAccount, type AccountForm, type AccountProblems } from './setupRules'

const words = messages.registration
const EMPTY: AccountForm = { email: '', username: '', password: '' }

/** Making an account of one's own; it may have to wait until somebody approves it. */
export function Register({ onDone }: { onDone: () => void }) {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [form, setForm] = useState(EMPTY)
  const [problems, setProblems] = useState<AccountProblems>({})
  const [waitingName, setWaitingName] = useState<string | null>(null)
  const [, navigate] = useLocation()
  const register = useAction(RegisterDocument)
  const refusal = sortRefusals(register.errors, ['email', 'username', 'password'])

  async function submit() {
    const found = checkAccount(form)
    setProblems(found)
    if (Object.keys(found).length > 0) return
    const { email, username, password } = form
    const payload = await register.act({ email: email.trim(), username: username.trim(), password })
    if (payload?.waiting) setWaitingName(username.trim())
    else if (payload) {
      navigate(routes.runs, { replace: true })
      onDone()
    }
  }

  function bind(field: keyof AccountForm) {
    return {
      value: form[field],
      error: problems[field] ?? refusal.fields[field],
      onChange: (event: { currentTarget: HTMLInputElement }) => {
        setForm({ ...form, [field]: event.currentTarget.value })
        setProblems({ ...problems, [field]: undefined })
      },
    }
  }

  if (waitingName !== null)
    return (
      <AuthCard title={words.waitingTitle} lead={words.waitingHint(waitingName)} onSubmit={() => navigate(routes.runs)}>
        <Button type="submit" variant="default" fullWidth autoFocus>
          {words.backToSignIn}
        </Button>
      </AuthCard>
    )
  return (
    <AuthCard title={words.title} lead={words.lead} onSubmit={() => void submit()}>
      <TextInput
        label={messages.firstStart.email}
        type="email"
        autoComplete="email"
        autoCapitalize="none"
        autoFocus
        {...bind('email')}
      />
      <TextInput
        label={messages.firstStart.username}
        autoComplete="username"
        autoCapitalize="none"
        {...bind('username')}
      />
      <NewPasswordInput label={messages.firstStart.password} {...bind('password')} />
      <Refused message={register.errors.length > 0 ? refusal.form : register.problem} />
      <Button type="submit" loading={register.isBusy} fullWidth mt="xs">
        {words.submit}
      </Button>
      <Text fz="sm" ta="center">
        <Anchor component={Link} href={routes.runs} inherit>
          {words.toSignIn}
        </Anchor>
      </Text>
    </AuthCard>
  )
}
