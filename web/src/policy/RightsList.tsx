import { Stack, Text } from '@mantine/core'
import { messages } from '../app/messages'
import { groupRights, type Right } from './permissions'

/** Permissions in words, by what they are about. */
export function RightsList({ rights, empty }: { rights: readonly Right[]; empty: string }) {
  if (rights.length === 0) return <Text c="dimmed">{empty}</Text>
  return (
    <Stack gap="md">
      {groupRights(rights).map(({ key, rights: members }) => (
        <section key={key} aria-label={messages.access.groups[key] ?? key}>
          <Text fz="sm" fw={600} mb={4}>
            {messages.access.groups[key] ?? key}
          </Text>
          <Stack component="ul" gap={4} m={0} p={0} style={{ listStyle: 'none' }}>
            {members.map(({ name, description }) => (
              <Text key={name} component="li" fz="sm" c="dimmed" title={name}>
                {description}
              </Text>
            ))}
          </Stack>
        </section>
      ))}
    </Stack>
  )
}
