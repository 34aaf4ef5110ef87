import { Alert, Button, Group, Stack, TextInput } from '@mantine/core'
import { CopyButton } from './CopyButton'

interface ShownOnceProps {
  secret: string
  label: string
  hint: string
  done: string
  onDone: () => void
}

/** A secret that nobody can read again, to be copied now. */
export function ShownOnce({ secret, label, hint, done, onDone }: ShownOnceProps) {
  return (
    <Stack>
      <Alert color="yellow" variant="light">
        {hint}
      </Alert>
      <Group wrap="nowrap" align="flex-end">
        <TextInput
          aria-label={label}
          value={secret}
          readOnly
          flex={1}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          onFocus={(event) => event.currentTarget.select()}
        />
        <CopyButton text={secret} />
      </Group>
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          {done}
        </Button>
      </Group>
    </Stack>
  )
}
