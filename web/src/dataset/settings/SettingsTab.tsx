import { Alert, Button, Group, Modal, SegmentedControl, Text, TextInput } from '@mantine/core'
import { useHotkeys } from '@mantine/hooks'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { Search } from '../../app/icons'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { Panel } from '../../app/Panel'
import { routes } from '../../app/routes'
import { useConfirm } from '../../app/useConfirm'
import { describe } from '../../environment/changes'
import { groupOptions, type Extent } from '../../environment/editor/options'
import { useLeaveGuard } from '../../environment/editor/useLeaveGuard'
import {
  DatasetOptionsDocument,
  DeleteDatasetDocument,
  type DatasetPartsFragment,
} from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useLoaded } from '../../graphql/useLoaded'
import { DatasetOptions } from './DatasetOptions'
import { useDatasetDraft, type DatasetDraft } from './useDatasetDraft'
import classes from './SettingsTab.module.css'

const words = messages.datasetSettings
const EXTENTS: Extent[] = ['basic', 'all', 'set']
/** The dataset has its name already, and pictures are excluded where one sees them. */
const ELSEWHERE = ['id', 'excluded_images']

interface SettingsTabProps {
  dataset: DatasetPartsFragment
  onRefresh: () => void
}

/** Everything that a dataset says of itself, as the service describes it; and its end. */
export function SettingsTab({ dataset, onRefresh }: SettingsTabProps) {
  const query = useLoaded({ query: DatasetOptionsDocument })
  const draft = useDatasetDraft(dataset, onRefresh)
  const [filters, setFilters] = useState<{ extent: Extent; search: string }>({ extent: 'basic', search: '' })
  const [settling, setSettling] = useState<string | null>(null)
  const numEdits = Object.keys(draft.edits).length
  const guard = useLeaveGuard(numEdits > 0, routes.dataset(dataset.id, 'settings'), messages.datasetSettings)
  const canSave = numEdits > 0 && draft.problems.length + draft.contested.length === 0 && !draft.isBusy
  useHotkeys([['mod+S', () => canSave && void draft.save()]], [])

  return (
    <div className={classes.settings}>
      {!dataset.mayEdit && (
        <Alert color="gray" variant="light" p="xs">
          {words.readOnly}
        </Alert>
      )}
      <div className={classes.tools}>
        <TextInput
          type="search"
          className={classes.search ?? ''}
          leftSection={<Search />}
          aria-label={messages.editor.search}
          placeholder={messages.editor.search}
          value={filters.search}
          onChange={(event) => setFilters({ ...filters, search: event.currentTarget.value })}
        />
        <SegmentedControl
          aria-label={messages.editor.extent}
          data={EXTENTS.map((extent) => ({ value: extent, label: messages.editor.extents[extent] }))}
          value={filters.extent}
          onChange={(extent) => setFilters({ ...filters, extent })}
        />
      </div>
      <LoadedView query={query} rows={8}>
        {({ datasetOptions, datasetGroups }) => (
          <DatasetOptions
            groups={groupOptions(
              datasetGroups,
              datasetOptions.filter(({ key }) => !ELSEWHERE.includes(key)),
            )}
            draft={draft}
            filters={{ ...filters, search: filters.search.trim() }}
            isReadOnly={!dataset.mayEdit}
            onSettle={setSettling}
          />
        )}
      </LoadedView>
      {dataset.mayDelete && <Removal dataset={dataset} />}
      {numEdits > 0 && (
        <section className={classes.bar} aria-label={messages.editor.unsavedChanges}>
          <Refused message={draft.problem} />
          <Group gap="xs" justify="flex-end">
            <Text fz="sm" flex="1 1 160px">
              {draft.problems.length > 0
                ? messages.editor.unfinished(draft.problems.length)
                : messages.editor.unsavedCount(numEdits)}
            </Text>
            <Button size="sm" variant="default" disabled={draft.isBusy} onClick={draft.discard}>
              {messages.editor.discard}
            </Button>
            <Button size="sm" loading={draft.isBusy} disabled={!canSave} onClick={() => void draft.save()}>
              {words.save(numEdits)}
            </Button>
          </Group>
        </section>
      )}
      <SettleDialog draft={draft} optionKey={settling} onClose={() => setSettling(null)} />
      {guard}
    </div>
  )
}

interface SettleDialogProps {
  draft: DatasetDraft
  optionKey: string | null
  onClose: () => void
}

/** Which value of an option stays that two people have changed. */
function SettleDialog({ draft, optionKey: key, onClose }: SettleDialogProps) {
  function settle(whose: 'mine' | 'theirs') {
    if (key !== null) draft.settle(key, whose)
    onClose()
  }
  return (
    <Modal
      opened={key !== null}
      onClose={onClose}
      title={words.settleTitle}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {key !== null && (
        <Text c="dimmed">{words.settleHint(describe(key, draft.draft[key]), describe(key, draft.saved[key]))}</Text>
      )}
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={() => settle('theirs')}>
          {words.settleTheirs}
        </Button>
        <Button onClick={() => settle('mine')}>{words.settleMine}</Button>
      </Group>
    </Modal>
  )
}

function Removal({ dataset: { id, name } }: Pick<SettingsTabProps, 'dataset'>) {
  const [, navigate] = useLocation()
  const [confirm, dialog] = useConfirm()
  const remove = useAction(DeleteDatasetDocument, ['Dataset'])

  async function removeNow() {
    if (await remove.act({ id })) navigate(routes.datasets)
  }

  return (
    <Panel title={words.removeSection}>
      <Group justify="space-between">
        <Text fz="sm" c="dimmed">
          {words.removeLead}
        </Text>
        <Button
          variant="light"
          color="red"
          size="xs"
          onClick={() =>
            confirm({
              title: words.removeTitle(name),
              hint: words.removeHint,
              yes: words.removeYes,
              color: 'red',
              onYes: removeNow,
            })
          }
        >
          {words.remove}
        </Button>
      </Group>
      <Refused message={remove.problem} />
      {dialog}
    </Panel>
  )
}
