import { SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core'
import { useState } from 'react'
import { Search } from '../../app/icons'
import { messages } from '../../app/messages'
import { groupFamilies, type Family } from './families'
import { FamilyCard } from './FamilyCard'

const words = messages.families

interface FamilyGridProps {
  families: readonly Family[]
  chosen: string | undefined
  onChoose: (family: Family) => void
}

/** All families as cards, those first that can be trained. */
export function FamilyGrid({ families, chosen, onChoose }: FamilyGridProps) {
  const [search, setSearch] = useState('')
  const { trainable, later } = groupFamilies(families, search)
  const parts = [
    { title: words.trainable, hint: null, members: trainable },
    { title: words.later, hint: words.laterHint, members: later },
  ].filter(({ members }) => members.length > 0)
  return (
    <Stack gap="lg">
      <TextInput
        type="search"
        leftSection={<Search />}
        aria-label={words.search}
        placeholder={words.search}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
      />
      {parts.map(({ title, hint, members }) => (
        <section key={title} aria-label={title}>
          <Title order={3} fz="sm" mb={hint === null ? 'xs' : 0}>
            {title}
          </Title>
          {hint !== null && (
            <Text fz="xs" c="dimmed" mb="xs">
              {hint}
            </Text>
          )}
          <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="sm" verticalSpacing="sm">
            {members.map((family) => (
              <FamilyCard
                key={family.key}
                family={family}
                isChosen={family.key === chosen}
                onChoose={() => onChoose(family)}
              />
            ))}
          </SimpleGrid>
        </section>
      ))}
      {parts.length === 0 && <Text c="dimmed">{words.noMatch}</Text>}
    </Stack>
  )
}
