import { Text } from '@mantine/core'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import {
  isShown,
  unmetRequirements,
  type ConfigOption,
  type Extent,
  type OptionGroup,
} from '../../environment/editor/options'
import { describeUnmet } from '../../environment/editor/OptionForm'
import { OptionRow } from '../../environment/editor/OptionRow'
import { refusalOf } from '../../environment/editor/refusals'
import type { DatasetDraft } from './useDatasetDraft'
import classes from './SettingsTab.module.css'

const NOTHING: readonly string[] = []

interface DatasetOptionsProps {
  groups: readonly OptionGroup[]
  draft: DatasetDraft
  filters: { extent: Extent; search: string }
  isReadOnly: boolean
  onSettle: (key: string) => void
}

/** The options of a dataset, by group; nothing here knows one by its name. */
export function DatasetOptions({ groups, draft, filters, isReadOnly, onSettle }: DatasetOptionsProps) {
  const options = new Map(groups.flatMap((group) => group.options).map((each) => [each.key, each]))
  const valueOf = (key: string) => draft.draft[key] ?? options.get(key)?.default
  const shown = groups
    .map((group) => ({ ...group, options: group.options.filter(isVisible) }))
    .filter((group) => group.options.length > 0)

  function isVisible(option: ConfigOption): boolean {
    const { key } = option
    return isShown(option, {
      ...filters,
      isChosen: key in draft.saved || key in draft.edits,
      hasProblem: refusalOf(draft.refusals, key, draft.draft) !== undefined,
      isMet: unmetRequirements(option, valueOf).length === 0,
    })
  }

  if (shown.length === 0)
    return (
      <Panel title={messages.datasetSettings.options}>
        <Text c="dimmed">
          {filters.search === '' ? messages.editor.nothingSet : messages.editor.noMatch(filters.search)}
        </Text>
      </Panel>
    )
  return shown.map((group) => (
    <Panel key={group.key} title={group.label} isFlush>
      {group.help !== '' && (
        <Text fz="sm" c="dimmed" className={classes.about ?? ''}>
          {group.help}
        </Text>
      )}
      {group.options.map((option) => {
        const { key } = option
        const unmet = unmetRequirements(option, valueOf)
        return (
          <OptionRow
            key={key}
            option={option}
            value={draft.draft[key]}
            text={draft.edits[key]?.text}
            fallback={option.default}
            source="default"
            isChanged={key in draft.edits}
            isContested={draft.contested.includes(key)}
            problem={draft.edits[key]?.problem ?? refusalOf(draft.refusals, key, draft.draft)}
            unmet={unmet.length === 0 ? undefined : describeUnmet(unmet, options)}
            note={undefined}
            refusedChoices={NOTHING}
            lastChange={undefined}
            isNews={false}
            isReadOnly={isReadOnly}
            onEdit={draft.edit}
            onFinish={draft.finish}
            onSettle={() => onSettle(key)}
          />
        )
      })}
    </Panel>
  ))
}
