import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { SignInDocument } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { AuthCard } from './AuthCard'

const words = messages.signIn

export function SignIn({ onDone }: { onDone: () => void }) {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const signIn = useAction(SignInDocument)
  const isComplete = login.trim() !== '' && password !== ''

  async function submit() {
    if (isComplete && (await signIn.act({ login: login.trim(), password }))) onDone()
  }

  return (
    <AuthCard title={words.title} onSubmit={() => void submit()}>
      <TextInput
        label={words.login}
        autoComplete="username"
        autoCapitalize="none"
        autoFocus
        value={login}
        onChange={(event) => setLogin(event.currentTarget.value)}
      />
      <PasswordInput
        visibilityToggleButtonProps={{ 'aria-label': messages.showPassword }}
        label={words.password}
        autoComplete="current-password"
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <Refused message={signIn.problem} />
      <Button type="submit" loading={signIn.isBusy} disabled={!isComplete} fullWidth mt="xs">
        {words.submit}
      </Button>
    </AuthCard>
  )
}
