import { Button, SegmentedControl, TextInput } from '@mantine/core'
import { useHotkeys, useMediaQuery } from '@mantine/hooks'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { Search } from '../../app/icons'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { DatasetChooser } from '../../dataset/DatasetChooser'
import { ConfigOptionsDocument, ModelFamiliesDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { adviseOn, FAMILY, findFlavour, FLAVOUR, type Family } from '../family/families'
import { FamilyPanel } from '../family/FamilyPanel'
import { formatValue } from '../configRows'
import { ConflictDialog } from './ConflictDialog'
import { DATASETS, problemsOf } from './edits'
import { JsonPanel } from './JsonPanel'
import { effectiveOf, fallbackIn, groupId, OptionForm, type Filters } from './OptionForm'
import { groupOptions, type ConfigGroup, type ConfigOption, type Extent } from './options'
import { inputId, rowId } from './OptionRow'
import { OtherKeys } from './OtherKeys'
import { refusalOf } from './refusals'
import { SaveBar } from './SaveBar'
import { SectionNav, type Section } from './SectionNav'
import type { Draft } from './useDraft'
import classes from './ConfigEditor.module.css'

const words = messages.editor
const EXTENTS: Extent[] = ['basic', 'all', 'set']
const IN_PANEL: readonly string[] = [FAMILY, FLAVOUR]
const FAMILY_SECTION = 'section-family'
const DATASET_SECTION = 'section-datasets'

interface ConfigEditorProps {
  draft: Draft
  isReadOnly: boolean
}

/** Everything that an environment says, as a form that is made from what the service tells of its options. */
export function ConfigEditor({ draft, isReadOnly }: ConfigEditorProps) {
  const families = useLoaded({ query: ModelFamiliesDocument })
  const family = draft.draft[FAMILY]
  const known = families.data?.modelFamilies.some(({ key }) => key === family)
  const options = useLoaded({
    query: ConfigOptionsDocument,
    variables: { family: known && typeof family === 'string' ? family : null },
    pause: families.data === undefined,
  })
  return (
    <LoadedView query={families} rows={8}>
      {({ modelFamilies }) => (
        <LoadedView query={options} rows={8}>
          {({ configOptions, configGroups }) => (
            <Editor
              families={modelFamilies}
              options={configOptions}
              described={configGroups}
              draft={draft}
              isReadOnly={isReadOnly}
            />
          )}
        </LoadedView>
      )}
    </LoadedView>
  )
}

interface EditorProps extends ConfigEditorProps {
  families: readonly Family[]
  options: readonly ConfigOption[]
  described: readonly ConfigGroup[]
}

function Editor({ families, options, described, draft, isReadOnly }: EditorProps) {
  const [filters, setFilters] = useState<Filters>({ extent: 'basic', search: '' })
  const [hasJson, setHasJson] = useState(false)
  const [isSettling, setIsSettling] = useState(false)
  const [wanted, setWanted] = useState<{ key: string } | null>(null)
  const settle = useCallback(() => setIsSettling(true), [])
  const isWide = useMediaQuery('(min-width: 1200px)', true, { getInitialValueInEffect: false })
  const groups = useMemo(() => groupOptions(described, options), [described, options])
  const byKey = useMemo(() => new Map(options.map((option) => [option.key, option])), [options])
  const labelOf = (key: string) => (key === DATASETS ? words.datasets : (byKey.get(key)?.label ?? key))
  const family = families.find(({ key }) => key === draft.draft[FAMILY])
  const advice = useMemo(
    () => adviseOn(family, family && findFlavour(family, draft.draft[FLAVOUR]), { setting: describeSetting }),
    [family, draft.draft],
  )
  const effective = effectiveOf(draft.environment)
  const valueOf = (key: string) => {
    const option = byKey.get(key)
    return draft.draft[key] ?? (option && fallbackIn(effective, option).value)
  }
  const search = filters.search.trim()
  // Family and flavour have a panel of their own, unless something is wrong with them or they are searched for.
  const shownGroups =
    search === '' ? groups.map((group) => ({ ...group, options: group.options.filter(isInForm) })) : groups
  const elsewhere = Object.keys(draft.refusals.byOption)
    .filter((key) => key !== DATASETS && !byKey.has(key))
    .flatMap((key) => refusalOf(draft.refusals, key, draft.draft) ?? [])

  function isInForm({ key }: ConfigOption): boolean {
    return !IN_PANEL.includes(key) || refusalOf(draft.refusals, key, draft.draft) !== undefined
  }

  async function save() {
    if (draft.isBusy || isReadOnly || Object.keys(draft.edits).length === 0) return
    const [unfinished] = problemsOf(draft.edits)
    if (unfinished !== undefined) show(unfinished)
    else if (draft.contested.length > 0) setIsSettling(true)
    else await draft.save()
  }
  useHotkeys([['mod+S', () => void save()]], [])

  function show(key: string) {
    setWanted({ key })
    if (search !== '') setFilters({ ...filters, search: '' })
  }

  // What was refused is brought into view once, when the refusal comes.
  const [told, setTold] = useState(draft.refusals)
  if (told !== draft.refusals) {
    setTold(draft.refusals)
    const [refused] = Object.keys(draft.refusals.byOption)
    if (refused !== undefined) show(refused)
    if (draft.isRaced) setIsSettling(true)
  }
  useEffect(() => {
    if (wanted === null) return
    const row = document.getElementById(wanted.key === DATASETS ? DATASET_SECTION : rowId(wanted.key))
    row?.scrollIntoView({ block: 'center', behavior: 'smooth' })
    document.getElementById(inputId(wanted.key))?.focus({ preventScroll: true })
  }, [wanted])

  const sections: Section[] = [
    ...(search === '' ? [{ id: FAMILY_SECTION, label: messages.families.title, keys: IN_PANEL }] : []),
    ...(search === '' ? [{ id: DATASET_SECTION, label: words.datasets, keys: [DATASETS] }] : []),
    ...shownGroups.map((group) => ({
      id: groupId(group.key),
      label: group.label,
      keys: group.options.map(({ key }) => key),
    })),
  ]

  return (
    <div className={classes.editor} data-json={hasJson || undefined}>
      <SectionNav sections={sections} draft={draft} />
      <div className={classes.main}>
        <div className={classes.tools}>
          <TextInput
            type="search"
            className={classes.search ?? ''}
            leftSection={<Search />}
            aria-label={words.search}
            placeholder={words.search}
            value={filters.search}
            onChange={(event) => setFilters({ ...filters, search: event.currentTarget.value })}
          />
          <SegmentedControl
            aria-label={words.extent}
            data={EXTENTS.map((extent) => ({ value: extent, label: words.extents[extent] }))}
            value={filters.extent}
            onChange={(extent) => setFilters({ ...filters, extent })}
          />
          <Button variant={hasJson ? 'light' : 'default'} aria-pressed={hasJson} onClick={() => setHasJson(!hasJson)}>
            {words.jsonToggle}
          </Button>
        </div>
        {hasJson && !isWide && <JsonPanel draft={draft} isReadOnly={isReadOnly} />}
        {search === '' && (
          <>
            <div id={FAMILY_SECTION}>
              <FamilyPanel
                families={families}
                config={draft.draft}
                valueOf={valueOf}
                labelOf={labelOf}
                isReadOnly={isReadOnly}
                onEdit={draft.editAll}
              />
            </div>
            <div id={DATASET_SECTION}>
              <Panel title={words.datasets}>
                <DatasetChooser
                  chosen={(draft.draft[DATASETS] ?? []) as string[]}
                  known={draft.environment.datasets}
                  problem={refusalOf(draft.refusals, DATASETS, draft.draft)}
                  isReadOnly={isReadOnly}
                  onChange={(chosen) => draft.edit(DATASETS, { value: chosen })}
                />
              </Panel>
            </div>
          </>
        )}
        <OptionForm
          groups={shownGroups}
          draft={draft}
          filters={{ ...filters, search }}
          advice={advice}
          isReadOnly={isReadOnly}
          onSettle={settle}
        />
        <OtherKeys draft={draft} known={byKey} isReadOnly={isReadOnly} />
      </div>
      {hasJson && isWide && (
        <aside className={classes.json} aria-label={words.json}>
          <JsonPanel draft={draft} isReadOnly={isReadOnly} />
        </aside>
      )}
      <SaveBar
        draft={draft}
        labelOf={labelOf}
        elsewhere={elsewhere}
        onSave={() => void save()}
        onSettle={settle}
        onShow={show}
      />
      <ConflictDialog draft={draft} labelOf={labelOf} isOpen={isSettling} onClose={() => setIsSettling(false)} />
    </div>
  )
}

function describeSetting(value: unknown, reason: string): string {
  return words.ownSetting(formatValue(value), reason)
}
