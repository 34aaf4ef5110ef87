import { MultiSelect, Text, type MultiSelectProps } from '@mantine/core'
import type { Right } from '../policy/permissions'

interface RightSelectProps extends Omit<MultiSelectProps, 'data' | 'value'> {
  rights: readonly Right[]
  /** Chosen permissions, and patterns that somebody gave by script. */
  value: string[]
}

/** Single permissions with what they allow. */
export function RightSelect({ rights, value, ...props }: RightSelectProps) {
  const descriptions = new Map(rights.map(({ name, description }) => [name, description]))
  return (
    <MultiSelect
      data={[...new Set([...descriptions.keys(), ...value])]}
      value={value}
      renderOption={({ option }) => (
        <div>
          <Text fz="sm" fw={550}>
            {option.value}
          </Text>
          <Text fz="xs" c="dimmed">
            {descriptions.get(option.value)}
          </Text>
        </div>
      )}
      searchable
      clearable
      {...props}
    />
  )
}
