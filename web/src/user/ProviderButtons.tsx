import { Button, Divider, Stack } from '@mantine/core'
import { messages } from '../app/messages'
import type { SetupQuery } from '../graphql/generated/documents'

const words = messages.signIn

/** Ways to sign in that lead to another site and back. */
export function ProviderButtons({ providers }: { providers: SetupQuery['setup']['authProviders'] }) {
  const elsewhere = providers.flatMap(({ id, name, loginUrl }) => (loginUrl ? [{ id, name, loginUrl }] : []))
  if (elsewhere.length === 0) return null
  return (
    <Stack gap="xs">
      <Divider label={words.or} />
      {elsewhere.map(({ id, name, loginUrl }) => (
        <Button key={id} component="a" href={loginUrl} variant="default" fullWidth>
          {words.continueWith(name)}
        </Button>
      ))}
    </Stack>
  )
}
