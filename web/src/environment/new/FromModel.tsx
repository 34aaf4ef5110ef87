import { Button, Group, Stack, Text, Title } from '@mantine/core'
import { useState } from 'react'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { DatasetChooser } from '../../dataset/DatasetChooser'
import { ModelFamiliesDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { chooseFlavour, FAMILY, findFlavour, FLAVOUR, isTrainable, type Family } from '../family/families'
import { describeFamily, FamilyBadges, whyNot } from '../family/FamilyCard'
import { FamilyGrid } from '../family/FamilyGrid'
import { FlavourList } from '../family/FlavourList'
import { NameAndCreate } from './NameAndCreate'

const words = messages.newEnvironment
const NO_DATASETS: readonly string[] = []

/** Family, flavour, datasets, name. */
export function FromModel() {
  const query = useLoaded({ query: ModelFamiliesDocument })
  const [family, setFamily] = useState<Family | null>(null)
  return (
    <LoadedView query={query}>
      {({ modelFamilies }) =>
        family === null ? (
          <FamilyGrid families={modelFamilies} chosen={undefined} onChoose={setFamily} />
        ) : (
          <FamilyForm key={family.key} family={family} onBack={() => setFamily(null)} />
        )
      }
    </LoadedView>
  )
}

function FamilyForm({ family, onBack }: { family: Family; onBack: () => void }) {
  const [choice, setChoice] = useState<Record<string, unknown>>({})
  const [datasetIds, setDatasetIds] = useState(NO_DATASETS)
  const config = { [FAMILY]: family.key, ...choice }
  const flavour = findFlavour(family, choice[FLAVOUR])
  return (
    <NameAndCreate
      source={{ config, datasetIds: [...datasetIds] }}
      suggestion={[family.key, family.capabilities[0]].filter(Boolean).join('-')}
    >
      <Group justify="space-between" gap="xs">
        <div>
          <Group gap="xs">
            <Text fw={600}>{family.name}</Text>
            <FamilyBadges family={family} />
          </Group>
          <Text fz="sm" c="dimmed">
            {describeFamily(family)}
          </Text>
          {whyNot(family) !== null && (
            <Text fz="sm" mt={4} style={{ color: 'var(--warn)' }}>
              {whyNot(family)} {!isTrainable(family) && messages.families.keepForLater}
            </Text>
          )}
        </div>
        <Button size="xs" variant="default" onClick={onBack}>
          {words.changeFamily}
        </Button>
      </Group>
      <Part title={messages.families.flavours}>
        <FlavourList
          flavours={family.flavours}
          chosen={flavour?.key}
          onChoose={(chosen) => setChoice(chooseFlavour(chosen))}
        />
      </Part>
      <Part title={words.datasets}>
        <DatasetChooser chosen={datasetIds} known={[]} onChange={setDatasetIds} />
      </Part>
    </NameAndCreate>
  )
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <Stack gap={6} component="section" aria-label={title}>
      <Title order={2} fz="sm">
        {title}
      </Title>
      {children}
    </Stack>
  )
}
