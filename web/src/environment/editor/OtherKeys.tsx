import { CloseButton, Text } from '@mantine/core'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { formatValue } from '../configRows'
import { DATASETS } from './edits'
import type { ConfigOption } from './options'
import type { Draft } from './useDraft'
import classes from './OtherKeys.module.css'

const words = messages.editor

interface OtherKeysProps {
  draft: Draft
  known: ReadonlyMap<string, ConfigOption>
  isReadOnly: boolean
}

/** What the configuration says beyond the options that there are, as files of other tools do: kept, and not used. */
export function OtherKeys({ draft, known, isReadOnly }: OtherKeysProps) {
  const others = Object.entries(draft.draft).filter(([key]) => key !== DATASETS && !known.has(key))
  if (others.length === 0) return null
  return (
    <Panel title={words.otherKeys}>
      <Text fz="sm" c="dimmed" mb="xs">
        {words.otherKeysHint}
      </Text>
      <ul className={classes.keys}>
        {others.map(([key, value]) => (
          <li key={key}>
            <code>
              {key}: {formatValue(value)}
            </code>
            {!isReadOnly && (
              <CloseButton
                size="sm"
                aria-label={words.remove(key)}
                title={words.remove(key)}
                onClick={() => draft.edit(key, {})}
              />
            )}
          </li>
        ))}
      </ul>
    </Panel>
  )
}
