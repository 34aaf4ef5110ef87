import { Badge, Text } from '@mantine/core'
import { useId } from 'react'
import { messages } from '../../app/messages'
import type { Flavour } from './families'
import classes from './FlavourList.module.css'

const words = messages.families

interface FlavourListProps {
  flavours: readonly Flavour[]
  chosen: string | undefined
  isReadOnly?: boolean
  /** Other weights are used in their place. */
  isReplaced?: boolean
  onChoose: (flavour: Flavour) => void
}

/** The published weights of a family, one of which a training starts from. */
export function FlavourList({ flavours, chosen, isReadOnly = false, isReplaced = false, onChoose }: FlavourListProps) {
  const name = useId()
  return (
    <div role="radiogroup" aria-label={words.flavours} className={classes.list} data-replaced={isReplaced || undefined}>
      {flavours.map((flavour) => (
        <label key={flavour.key} className={classes.flavour} data-chosen={flavour.key === chosen || undefined}>
          <input
            type="radio"
            name={name}
            checked={flavour.key === chosen}
            disabled={isReadOnly}
            onChange={() => onChoose(flavour)}
          />
          <span className={classes.text}>
            <span className={classes.head}>
              <span className={classes.name}>{flavour.name}</span>
              {flavour.isDefault && (
                <Badge size="sm" variant="default" tt="none" fw={500}>
                  {words.usual}
                </Badge>
              )}
            </span>
            <code className={classes.repository}>{flavour.baseModel}</code>
            {flavour.terms !== null && (
              <Text fz="xs" component="span" className={classes.terms ?? ''}>
                {flavour.terms}
              </Text>
            )}
            {flavour.needsReference && (
              <Text fz="xs" c="dimmed" component="span">
                {words.needsReference}
              </Text>
            )}
          </span>
        </label>
      ))}
    </div>
  )
}
