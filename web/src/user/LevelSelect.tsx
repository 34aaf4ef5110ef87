import { MultiSelect, Text, type MultiSelectProps } from '@mantine/core'
import { messages } from '../app/messages'
import { isWithinReach } from '../policy/permissions'
import { useViewer } from './viewer'

const words = messages.users

export interface LevelChoice {
  name: string
  description: string
  permissions: readonly string[]
}

interface LevelSelectProps extends Omit<MultiSelectProps, 'data'> {
  levels: readonly LevelChoice[]
  /** Every permission that there is. */
  allPermissions: readonly string[]
}

/** One or several levels; those that reach beyond the viewer's own rights cannot be given. */
export function LevelSelect({ levels, allPermissions, ...props }: LevelSelectProps) {
  const viewer = useViewer()
  const byName = new Map(levels.map((level) => [level.name, level]))
  const isBeyond = (name: string) =>
    !isWithinReach(byName.get(name)?.permissions ?? [], allPermissions, viewer.permissions)
  return (
    <MultiSelect
      data={levels.map(({ name }) => ({ value: name, label: name, disabled: isBeyond(name) }))}
      renderOption={({ option: { value } }) => (
        <div>
          <Text fz="sm" fw={550}>
            {value}
          </Text>
          <Text fz="xs" c="dimmed">
            {isBeyond(value) ? words.beyond : byName.get(value)?.description}
          </Text>
        </div>
      )}
      searchable
      {...props}
    />
  )
}
