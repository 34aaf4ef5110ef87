import { Button, SimpleGrid, Text } from '@mantine/core'
import { Check } from '../../app/icons'
import { messages } from '../../app/messages'
import { formatValue } from '../configRows'
import { isApplied, type MemoryPreset } from './families'
import classes from './PresetCards.module.css'

const words = messages.families

interface PresetCardsProps {
  presets: readonly MemoryPreset[]
  valueOf: (key: string) => unknown
  labelOf: (key: string) => string
  isReadOnly: boolean
  onApply: (changes: Record<string, unknown>) => void
}

/** Ways to need less memory, each with what it changes; applying one is a change that is not saved yet. */
export function PresetCards({ presets, valueOf, labelOf, isReadOnly, onApply }: PresetCardsProps) {
  // Each includes what the one before it does, so the last that is so is what is in force.
  const current = presets.findLast((preset) => isApplied(preset, valueOf))
  return (
    <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="sm" verticalSpacing="sm">
      {presets.map((preset) => {
        const changes = preset.changes as Record<string, unknown>
        const isCurrent = preset === current
        return (
          <section
            key={preset.key}
            className={classes.preset}
            data-current={isCurrent || undefined}
            aria-label={preset.name}
          >
            <h4 className={classes.name}>{preset.name}</h4>
            <Text fz="xs" c="dimmed" flex={1}>
              {preset.description}
            </Text>
            <ul className={classes.changes}>
              {Object.entries(changes).map(([key, value]) => (
                <li key={key} title={key}>
                  {labelOf(key)} <b>{describeValue(value)}</b>
                </li>
              ))}
            </ul>
            <Button
              size="xs"
              variant={isCurrent ? 'light' : 'default'}
              color={isCurrent ? 'teal' : 'brand'}
              leftSection={isCurrent ? <Check size={14} /> : null}
              disabled={isReadOnly || isApplied(preset, valueOf)}
              aria-label={words.applyNamed(preset.name)}
              onClick={() => onApply(changes)}
            >
              {isCurrent ? words.applied : isApplied(preset, valueOf) ? words.included : words.apply}
            </Button>
          </section>
        )
      })}
    </SimpleGrid>
  )
}

function describeValue(value: unknown): string {
  if (typeof value === 'boolean') return value ? messages.editor.on : messages.editor.off
  return formatValue(value)
}
