import { ActionIcon, Button, Menu, Text } from '@mantine/core'
import { formatBytes } from '../app/format'
import { ChevronDown, Download } from '../app/icons'
import { messages } from '../app/messages'
import type { WeightsPartsFragment } from '../graphql/generated/documents'

const words = messages.checkpoints

interface WeightsMenuProps {
  files: readonly WeightsPartsFragment[]
  label: string
  isComfyUI: boolean
  /** With its label in words. */
  isWide?: boolean
}

/** Weights to download: at once when there is one file, else by choice. Each gets a name that says what it is. */
export function WeightsMenu({ files, label, isComfyUI, isWide = false }: WeightsMenuProps) {
  const [first] = files
  if (first === undefined)
    return (
      <Text component="span" fz="xs" c="dimmed">
        {words.noWeights}
      </Text>
    )
  if (files.length === 1) {
    const link = {
      component: 'a',
      href: first.url,
      download: first.name,
      title: `${label}, ${formatBytes(first.sizeBytes)}`,
    } as const
    return isWide ? (
      <Button size="xs" variant="light" leftSection={<Download size={14} />} {...link}>
        {label}
      </Button>
    ) : (
      <ActionIcon variant="subtle" aria-label={label} {...link}>
        <Download />
      </ActionIcon>
    )
  }
  return (
    <Menu position="bottom-end" width={300}>
      <Menu.Target>
        {isWide ? (
          <Button
            size="xs"
            variant="light"
            leftSection={<Download size={14} />}
            rightSection={<ChevronDown size={14} />}
          >
            {label}
          </Button>
        ) : (
          <ActionIcon variant="subtle" aria-label={label} title={label}>
            <Download />
          </ActionIcon>
        )}
      </Menu.Target>
      <Menu.Dropdown>
        {files.map(({ kind, name, url, sizeBytes }) => (
          <Menu.Item key={kind} component="a" href={url} download={name}>
            <Text fz="sm" fw={550}>
              {words.kinds[kind]} · {formatBytes(sizeBytes)}
            </Text>
            <Text fz="xs" c="dimmed">
              {words.kindHints[kind]}
              {isComfyUI && kind !== 'PIPELINE' && `, ${words.comfyui}`}
            </Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
