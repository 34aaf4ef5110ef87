import { Paper, Stack, Text, Title } from '@mantine/core'
import type { ReactNode, SyntheticEvent } from 'react'
import { FullPage } from '../app/FullPage'

interface AuthCardProps {
  title: string
  lead?: string
  onSubmit: () => void
  children: ReactNode
}

/** A form alone on its page. */
export function AuthCard({ title, lead, onSubmit, children }: AuthCardProps) {
  function submit(event: SyntheticEvent) {
    event.preventDefault()
    onSubmit()
  }
  return (
    <FullPage>
      <Paper
        component="form"
        noValidate
        onSubmit={submit}
        withBorder
        radius="lg"
        p={{ base: 'lg', xs: 'xl' }}
        w="100%"
        maw={420}
      >
        <Stack gap="md">
          <div>
            <Title order={1} fz="xl">
              {title}
            </Title>
            {lead && (
              <Text c="dimmed" fz="sm" mt={6}>
                {lead}
              </Text>
            )}
          </div>
          {children}
        </Stack>
      </Paper>
    </FullPage>
  )
}
