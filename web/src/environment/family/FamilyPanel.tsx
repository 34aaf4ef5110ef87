import { Badge, Button, Group, Modal, Stack, Text, Title } from '@mantine/core'
import { useState } from 'react'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import {
  BASE_MODEL,
  chooseFamily,
  chooseFlavour,
  FAMILY,
  findFlavour,
  FLAVOUR,
  isTrainable,
  type Family,
} from './families'
import { describeFamily, FamilyBadges, whyNot } from './FamilyCard'
import { FamilyGrid } from './FamilyGrid'
import { FlavourList } from './FlavourList'
import { PresetCards } from './PresetCards'

const words = messages.families
const VERDICTS: Record<string, string> = { suits: 'teal', loses: 'yellow', needed: 'blue', refused: 'red' }

interface FamilyPanelProps {
  families: readonly Family[]
  /** The options as they would be saved. */
  config: Readonly<Record<string, unknown>>
  valueOf: (key: string) => unknown
  labelOf: (key: string) => string
  isReadOnly: boolean
  onEdit: (values: Record<string, unknown>) => void
}

/** What is trained: family, flavour, and ways to make it fit into memory. */
export function FamilyPanel({ families, config, valueOf, labelOf, isReadOnly, onEdit }: FamilyPanelProps) {
  const [isChoosing, setIsChoosing] = useState(false)
  const key = config[FAMILY] as string | undefined
  const family = families.find((each) => each.key === key)
  const reason = family ? whyNot(family) : null
  const baseModel = config[BASE_MODEL]
  const isReplaced = typeof baseModel === 'string' && baseModel !== ''
  return (
    <Panel
      title={words.title}
      aside={
        !isReadOnly && (
          <Button size="xs" variant="default" onClick={() => setIsChoosing(true)}>
            {words.change}
          </Button>
        )
      }
    >
      <Stack gap="lg">
        <div>
          <Group gap="xs">
            <Text fw={600}>{family?.name ?? key ?? words.none}</Text>
            {family && <FamilyBadges family={family} />}
          </Group>
          {family && (
            <Text fz="sm" c="dimmed">
              {describeFamily(family)}
            </Text>
          )}
          {reason !== null && (
            <Text fz="sm" mt={4} style={{ color: 'var(--warn)' }}>
              {reason} {family && !isTrainable(family) && words.keepForLater}
            </Text>
          )}
        </div>
        {family && (
          <Part title={words.flavours}>
            {isReplaced && (
              <Text fz="xs" mb="xs" style={{ color: 'var(--warn)' }}>
                {words.replaced(labelOf(BASE_MODEL), baseModel)}
              </Text>
            )}
            <FlavourList
              flavours={family.flavours}
              chosen={findFlavour(family, config[FLAVOUR])?.key}
              isReadOnly={isReadOnly}
              isReplaced={isReplaced}
              onChoose={(flavour) => onEdit(chooseFlavour(flavour))}
            />
          </Part>
        )}
        {family && (
          <Part title={words.memory}>
            <Group gap="xs" mb="sm" wrap="nowrap" align="flex-start">
              <Badge
                variant="light"
                color={VERDICTS[family.quantising.verdict] ?? 'gray'}
                tt="none"
                fw={500}
                flex="none"
              >
                {words.verdicts[family.quantising.verdict] ?? family.quantising.verdict}
              </Badge>
              <Text fz="xs" c="dimmed">
                {family.quantising.reason}
              </Text>
            </Group>
            {family.memoryPresets.length > 0 ? (
              <PresetCards
                presets={family.memoryPresets}
                valueOf={valueOf}
                labelOf={labelOf}
                isReadOnly={isReadOnly}
                onApply={onEdit}
              />
            ) : (
              <Text fz="sm" c="dimmed">
                {words.noPresets}
              </Text>
            )}
          </Part>
        )}
      </Stack>
      <Modal
        opened={isChoosing}
        onClose={() => setIsChoosing(false)}
        title={words.choose}
        size="xl"
        closeButtonProps={{ 'aria-label': messages.close }}
      >
        <FamilyGrid
          families={families}
          chosen={key}
          onChoose={(chosen) => {
            onEdit(chooseFamily(chosen, config[FLAVOUR]))
            setIsChoosing(false)
          }}
        />
      </Modal>
    </Panel>
  )
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div>
      <Title order={3} fz="sm" mb={6}>
        {title}
      </Title>
      {children}
    </div>
  )
}
