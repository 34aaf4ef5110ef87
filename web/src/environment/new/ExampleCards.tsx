import { Badge, Button, Group, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { useState } from 'react'
import { useQuery } from 'urql'
import { useLocation } from 'wouter'
import { Play } from '../../app/icons'
import { messages } from '../../app/messages'
import { Failure, Refused } from '../../app/Notice'
import { Pending } from '../../app/Pending'
import { routes } from '../../app/routes'
import { ExamplesDocument, type ExamplesQuery } from '../../graphql/generated/documents'
import { useStartTraining } from '../../run/useStartTraining'
import { useMay } from '../../user/viewer'
import { useCreate } from './useCreate'

const words = messages.examples
type Example = ExamplesQuery['examples'][number]

/** Every example with what one can do with it at once: train it, or make an environment of it to change first. */
export function ExampleCards() {
  const [{ data, error }, refresh] = useQuery({ query: ExamplesDocument })
  const [chosen, setChosen] = useState<string | null>(null)
  const [, navigate] = useLocation()
  const example = useCreate()
  const training = useStartTraining()
  const isBusy = example.isBusy || training.isBusy

  async function use(which: Example, startsAtOnce: boolean) {
    setChosen(which.key)
    const id = await example.create({ example: which.key }, { wanted: which.key, isFixed: false })
    if (id === null) return
    if (startsAtOnce) await training.start(id)
    else navigate(routes.environment(id))
  }

  if (error && !data) return <Failure error={error} onRetry={refresh} />
  if (!data) return <Pending rows={2} />
  if (data.examples.length === 0) return <Text c="dimmed">{words.empty}</Text>
  return (
    <Stack w="100%" ta="left">
      <Refused message={example.refusal.form ?? example.refusal.fields.name ?? training.problem} />
      <SimpleGrid cols={{ base: 1, sm: Math.min(data.examples.length, 3) }}>
        {data.examples.map((each) => (
          <ExampleCard
            key={each.key}
            example={each}
            isBusy={isBusy && chosen === each.key}
            isDisabled={isBusy}
            onUse={(startsAtOnce) => void use(each, startsAtOnce)}
          />
        ))}
      </SimpleGrid>
    </Stack>
  )
}

interface ExampleCardProps {
  example: Example
  isBusy: boolean
  isDisabled: boolean
  onUse: (startsAtOnce: boolean) => void
}

function ExampleCard({ example, isBusy, isDisabled, onUse }: ExampleCardProps) {
  const may = useMay()
  return (
    <Paper withBorder p="md" component="section" aria-label={example.name}>
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Title order={3} fz="md">
            {example.name}
          </Title>
          <Badge variant="default" tt="none" fw={500} flex="none">
            {example.family}
          </Badge>
        </Group>
        <Text fz="sm" c="dimmed" flex={1}>
          {example.description}
        </Text>
        <Group gap="xs" mt="xs">
          {may('config.create') && may('job.submit') && (
            <Button size="sm" leftSection={<Play />} loading={isBusy} disabled={isDisabled} onClick={() => onUse(true)}>
              {words.useAndStart}
            </Button>
          )}
          {may('config.create') && (
            <Button size="sm" variant="subtle" disabled={isDisabled} onClick={() => onUse(false)}>
              {words.onlyCreate}
            </Button>
          )}
        </Group>
      </Stack>
    </Paper>
  )
}
