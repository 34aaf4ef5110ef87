import { Badge, Group, Text } from '@mantine/core'
import { messages } from '../../app/messages'
import { isTrainable, type Family } from './families'
import classes from './FamilyCard.module.css'

const words = messages.families

interface FamilyCardProps {
  family: Family
  isChosen: boolean
  onChoose: () => void
}

/** A family to choose, with what it is and whether it can be trained. */
export function FamilyCard({ family, isChosen, onChoose }: FamilyCardProps) {
  return (
    <button type="button" className={classes.card} aria-pressed={isChosen} onClick={onChoose}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <span className={classes.name}>{family.name}</span>
        <FamilyBadges family={family} />
      </Group>
      <Text fz="xs" c="dimmed" component="span">
        {describeFamily(family)}
      </Text>
      {family.packages.length > 0 && (
        <Text fz="xs" component="span" className={classes.why ?? ''}>
          {words.packages(family.packages.join(', '))}
        </Text>
      )}
    </button>
  )
}

export function FamilyBadges({ family }: { family: Family }) {
  if (!isTrainable(family))
    return (
      <Badge variant="light" color="gray" tt="none" fw={500} flex="none">
        {words.notYet}
      </Badge>
    )
  return family.capabilities.map((type) => (
    <Badge key={type} variant="light" color="teal" tt="none" fw={500} flex="none">
      {words.modelTypes[type] ?? type}
    </Badge>
  ))
}

/** Size, resolution and number of flavours in one line. */
export function describeFamily({ parameters, defaultResolution, flavours }: Family): string {
  return [
    parameters === null ? null : words.parameters(parameters),
    words.resolution(defaultResolution),
    words.numFlavours(flavours.length),
  ]
    .filter(Boolean)
    .join(' · ')
}

/** Why it cannot be trained here today; null when it can. */
export function whyNot(family: Family): string | null {
  const reasons = [
    ...(isTrainable(family) ? [] : [words.cannotTrain]),
    ...(family.packages.length > 0 ? [words.packages(family.packages.join(', '))] : []),
  ]
  return reasons.length > 0 ? reasons.join(' ') : null
}
