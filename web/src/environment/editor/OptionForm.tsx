import { useMemo } from 'react'
import { formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { formatValue } from '../configRows'
import { isShown, unmetRequirements, type ConfigOption, type Extent, type OptionGroup } from './options'
import { OptionRow } from './OptionRow'
import { refusalOf } from './refusals'
import type { Draft, Environment } from './useDraft'
import { isRecord } from './values'
import { Text } from '@mantine/core'
import classes from './OptionForm.module.css'

const words = messages.editor
const NOTHING: readonly string[] = []

/** What the chosen model family has to say about single options. */
export interface Advice {
  notes: Record<string, string>
  refusedChoices: Record<string, readonly string[]>
}

export interface Filters {
  extent: Extent
  search: string
}

interface OptionFormProps {
  groups: readonly OptionGroup[]
  draft: Draft
  filters: Filters
  advice: Advice
  isReadOnly: boolean
  onSettle: () => void
}

/** Every option that the service describes, by group; nothing here knows one by its name. */
export function OptionForm({ groups, draft, filters, advice, isReadOnly, onSettle }: OptionFormProps) {
  const { environment, news, contested } = draft
  const options = useMemo(
    () => new Map(groups.flatMap((group) => group.options).map((each) => [each.key, each])),
    [groups],
  )
  const lastChanges = useMemo(
    () => new Map(environment.lastChanges.map((change) => [change.key, change])),
    [environment.lastChanges],
  )
  const effective = effectiveOf(environment)
  const fallbackOf = (option: ConfigOption) => fallbackIn(effective, option)
  const valueOf = (key: string) => {
    const option = options.get(key)
    return draft.draft[key] ?? (option && fallbackOf(option).value)
  }
  const shown = groups
    .map((group) => ({
      ...group,
      options: group.options.filter((option) => isVisible(option, draft, filters, valueOf)),
    }))
    .filter((group) => group.options.length > 0)

  if (shown.length === 0)
    return (
      <Panel title={words.options}>
        <Text c="dimmed">{filters.search === '' ? words.nothingSet : words.noMatch(filters.search)}</Text>
      </Panel>
    )
  return shown.map((group) => (
    <div key={group.key} id={groupId(group.key)} data-section={group.label}>
      <Panel
        title={group.label}
        aside={<GroupCount numShown={group.options.length} group={group} all={groups} />}
        isFlush
      >
        {group.help !== '' && (
          <Text fz="sm" c="dimmed" className={classes.about ?? ''}>
            {group.help}
          </Text>
        )}
        {group.options.map((option) => {
          const { key } = option
          const unmet = unmetRequirements(option, valueOf)
          const fallback = fallbackOf(option)
          return (
            <OptionRow
              key={key}
              option={option}
              value={draft.draft[key]}
              text={draft.edits[key]?.text}
              fallback={fallback.value}
              source={fallback.source}
              isChanged={key in draft.edits}
              isContested={contested.includes(key)}
              problem={draft.edits[key]?.problem ?? refusalOf(draft.refusals, key, draft.draft)}
              unmet={unmet.length === 0 ? undefined : describeUnmet(unmet, options)}
              note={advice.notes[key]}
              refusedChoices={advice.refusedChoices[key] ?? NOTHING}
              lastChange={key in draft.saved ? lastChanges.get(key) : undefined}
              isNews={news.some((change) => change.key === key)}
              isReadOnly={isReadOnly}
              onEdit={draft.edit}
              onFinish={draft.finish}
              onSettle={onSettle}
            />
          )
        })}
      </Panel>
    </div>
  ))
}

function isVisible(option: ConfigOption, draft: Draft, filters: Filters, valueOf: (key: string) => unknown): boolean {
  const { key } = option
  return isShown(option, {
    ...filters,
    isChosen: key in draft.saved || key in draft.edits,
    hasProblem: refusalOf(draft.refusals, key, draft.draft) !== undefined,
    isMet: unmetRequirements(option, valueOf).length === 0,
  })
}

interface GroupCountProps {
  numShown: number
  group: OptionGroup
  all: readonly OptionGroup[]
}

/** How much of the group is not shown. */
function GroupCount({ numShown, group, all }: GroupCountProps) {
  const numAll = all.find(({ key }) => key === group.key)?.options.length ?? numShown
  return (
    <Text fz="xs" c="dimmed">
      {numShown === numAll
        ? words.numOptions(formatCount(numAll))
        : words.numShown(formatCount(numShown), formatCount(numAll))}
    </Text>
  )
}

export interface Effective {
  value: unknown
  source: string
}

export function effectiveOf(environment: Environment): Record<string, unknown> {
  return isRecord(environment.effectiveConfig) ? environment.effectiveConfig : {}
}

/** What counts where nothing is chosen: from wherever the service takes it, else the option's own default. */
export function fallbackIn(effective: Record<string, unknown>, option: ConfigOption): Effective {
  const found = effective[option.key]
  if (isRecord(found) && typeof found.source === 'string' && found.source !== 'environment')
    return { value: found.value, source: found.source }
  return { value: option.default, source: 'default' }
}

export function describeUnmet(
  unmet: readonly { key: string; wanted: unknown[] }[],
  options: ReadonlyMap<string, ConfigOption>,
): string {
  return words.unmet(
    unmet.map(({ key, wanted }) => {
      const option = options.get(key)
      const labels = wanted.map(
        (value) => option?.choices.find((choice) => choice.value === value)?.label ?? formatValue(value),
      )
      return words.requirement(option?.label ?? key, labels)
    }),
  )
}

export function groupId(key: string): string {
  return `group-${key}`
}
