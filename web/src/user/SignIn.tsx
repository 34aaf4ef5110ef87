import { Anchor, Button, NativeSelect, PasswordInput, Text, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { routes } from '../app/routes'
import { sortRefusals } from '../graphql/errors'
import { SignInDocument, type SetupQuery } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { AuthCard } from './AuthCard'
import { ProviderButtons } from './ProviderButtons'
import { signInError } from './signInError'

const words = messages.signIn

interface SignInProps {
  setup: SetupQuery['setup']
  onDone: () => void
}

export function SignIn({ setup, onDone }: SignInProps) {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const [providerId, setProviderId] = useState('')
  const [place, navigate] = useLocation()
  const error = signInError(useSearch())
  const directories = setup.authProviders.filter((provider) => provider.loginUrl === null)
  const signIn = useAction(SignInDocument)
  const refusal = sortRefusals(signIn.errors, ['login', 'password'])
  const isComplete = login.trim() !== '' && password !== ''

  async function submit() {
    const input = { login: login.trim(), password, providerId: providerId === '' ? null : providerId }
    if (!isComplete || !(await signIn.act(input))) return
    if (place === routes.signIn) navigate(routes.runs, { replace: true })
    onDone()
  }

  return (
    <AuthCard title={words.title} onSubmit={() => void submit()}>
      <Refused message={signIn.errors.length === 0 ? error : null} />
      {directories.length > 0 && (
        <NativeSelect
          label={words.account}
          data={[{ value: '', label: words.here }, ...directories.map(({ id, name }) => ({ value: id, label: name }))]}
          value={providerId}
          onChange={(event) => setProviderId(event.currentTarget.value)}
        />
      )}
      <TextInput
        label={words.login}
        autoComplete="username"
        autoCapitalize="none"
        autoFocus
        value={login}
        onChange={(event) => setLogin(event.currentTarget.value)}
        error={refusal.fields.login}
      />
      <PasswordInput
        visibilityToggleButtonProps={{ 'aria-label': messages.showPassword }}
        label={words.password}
        autoComplete="current-password"
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        error={refusal.fields.password}
      />
      <Refused message={signIn.errors.length > 0 ? refusal.form : signIn.problem} />
      <Button type="submit" loading={signIn.isBusy} disabled={!isComplete} fullWidth mt="xs">
        {words.submit}
      </Button>
      <ProviderButtons providers={setup.authProviders} />
      {setup.registrationOpen && (
        <Text fz="sm" c="dimmed" ta="center">
          {messages.registration.noAccount}{' '}
          <Anchor component={Link} href={routes.register} inherit>
            {messages.registration.fromSignIn}
          </Anchor>
        </Text>
      )}
    </AuthCard>
  )
}
