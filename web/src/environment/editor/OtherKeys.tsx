import { CloseButton, Text } from '@mantine/core'
import { toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { formatValue } from '../configRows'
import { DATASETS } from './edits'
import type { ConfigOption } from './options'
import type { Draft } from './useDraft'
import { isSame } from './values'
import classes from './OtherKeys.module.css'

const words = messages.editor

interface OtherKeysProps {
  draft: Draft
  known: ReadonlyMap<string, ConfigOption>
  isReadOnly: boolean
}

/**
 * What the configuration says that does nothing, as files of other tools do: kept, and exported again. Of what is not
 * saved yet nobody has said why.
 */
export function OtherKeys({ draft, known, isReadOnly }: OtherKeysProps) {
  const reasons = new Map(draft.environment.unusedOptions.map(({ key, reason }) => [key, reason]))
  const others = Object.entries(draft.draft).filter(
    ([key, value]) => key !== DATASETS && (!known.has(key) || (reasons.has(key) && isSame(value, draft.saved[key]))),
  )
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
            {reasons.has(key) && <small>{toSentence(reasons.get(key) ?? '')}</small>}
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
