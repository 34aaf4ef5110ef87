import { Button, Group, Paper } from '@mantine/core'
import { useEffect, useEffectEvent, useState } from 'react'
import { useSearchParams } from 'wouter'
import { formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { Failure, Notice, Refused } from '../../app/Notice'
import { Panel } from '../../app/Panel'
import { Pending } from '../../app/Pending'
import { withParameter } from '../../app/searchParameters'
import { useConfirm } from '../../app/useConfirm'
import {
  DatasetReportDocument,
  ExcludeImagesDocument,
  type DatasetPartsFragment,
} from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useLoaded } from '../../graphql/useLoaded'
import { useContents } from '../contents'
import { BulkEdit, type Done } from '../captions/BulkEdit'
import { DoneNotice } from '../captions/DoneNotice'
import { isUnderWay, type Scan } from '../scan/scan'
import { FilterBar } from './FilterBar'
import { NO_FILTER, readFilter, toInput, type PictureFilter } from './filter'
import { JudgeSelect } from './JudgeSelect'
import { PictureDrawer } from './PictureDrawer'
import { PictureGrid } from './PictureGrid'
import { Summary } from './Summary'
import { usePictures } from './usePictures'

const words = messages.pictures

interface PicturesTabProps {
  dataset: DatasetPartsFragment
  scan: Scan | null
  /** Grows whenever there is something new to be asked about. */
  edition: number
  onChanged: () => void
}

/** What is in a dataset and what training makes of it; the address holds what is being looked at. */
export function PicturesTab({ dataset, scan, edition, onChanged }: PicturesTabProps) {
  const { id, mayEdit } = dataset
  const contents = useContents()
  const [parameters, setParameters] = useSearchParams()
  const filter = readFilter(parameters)
  const input = toInput(filter)
  const environmentId = parameters.get('by')
  const selection = { filter: input, environmentId }
  const report = useLoaded({ query: DatasetReportDocument, variables: { id, environmentId } })
  const { list, showMore, reload, replace } = usePictures(id, selection, edition)
  const [isEditing, setIsEditing] = useState(false)
  const [done, setDone] = useState<Done | null>(null)
  const [confirm, dialog] = useConfirm()
  const exclusion = useAction(ExcludeImagesDocument)
  const askAgain = useEffectEvent(report.refresh)
  useEffect(() => {
    if (edition > 0) askAgain()
  }, [edition])

  function set(key: string, value: string | null) {
    setParameters((before) => withParameter(before, key, value), { replace: true })
  }
  /** Show other pictures; opened: the one beside the list, if not the same as before. */
  function change(changed: Partial<PictureFilter>, opened = parameters.get('picture')) {
    setParameters(
      (before) =>
        Object.entries({ ...changed, picture: opened }).reduce(
          (all, [key, value]) => withParameter(all, key, value === '' ? null : value),
          before,
        ),
      { replace: true },
    )
  }
  const clear = () => change(NO_FILTER)
  const isExcludedOnly = filter.problem === 'EXCLUDED'
  const total = formatCount(list.totalCount)

  async function exclude(excluded: boolean) {
    if (await exclusion.act({ datasetId: id, filter: input, excluded })) onChanged()
  }

  function excludeAll() {
    if (isExcludedOnly) void exclude(false)
    else
      confirm({
        title: contents.excludeAllTitle(total),
        hint: words.excludeAllHint,
        yes: words.excludeAll(total),
        onYes: () => exclude(true),
      })
  }

  if (scan === null)
    return (
      <Paper withBorder>
        <Notice title={messages.scan.never} hint={messages.scan.neverHint} />
      </Paper>
    )
  return (
    <>
      <Summary
        query={report}
        filter={filter}
        onFilter={change}
        judge={<JudgeSelect datasetId={id} environmentId={environmentId} onChange={(by) => set('by', by)} />}
      />
      <Panel
        title={contents.title}
        isFlush
        aside={
          mayEdit &&
          list.totalCount > 0 && (
            <Group gap={8}>
              {input !== null && (
                <Button
                  size="xs"
                  variant="default"
                  disabled={list.isStale}
                  loading={exclusion.isBusy}
                  onClick={excludeAll}
                >
                  {isExcludedOnly ? words.includeAll(total) : words.excludeAll(total)}
                </Button>
              )}
              <Button size="xs" variant="default" disabled={list.isStale} onClick={() => setIsEditing(true)}>
                {words.editCaptions}
              </Button>
            </Group>
          )
        }
      >
        <FilterBar filter={filter} list={list} onChange={change} onClear={clear} />
        <Refused message={exclusion.problem} />
        {list.edges === undefined ? (
          list.error ? (
            <Failure error={list.error} onRetry={reload} />
          ) : (
            <Pending rows={6} />
          )
        ) : list.edges.length === 0 ? (
          <Nothing isFiltered={input !== null} isScanning={isUnderWay(scan)} onClear={clear} />
        ) : (
          <PictureGrid list={list} onOpen={(picture) => set('picture', picture.id)} onMore={showMore} />
        )}
      </Panel>
      <PictureDrawer
        dataset={dataset}
        selection={selection}
        edges={list.edges ?? []}
        openId={parameters.get('picture')}
        onOpen={(picture) => set('picture', picture?.id ?? null)}
        onReplace={replace}
        onCopies={(picture) => change({ ...NO_FILTER, sameAs: picture.id }, null)}
        onChanged={onChanged}
      />
      <BulkEdit
        datasetId={id}
        filter={input}
        numPictures={list.totalCount}
        isOpen={isEditing}
        onClose={() => setIsEditing(false)}
        onDone={setDone}
      />
      {done && <DoneNotice key={done.number} datasetId={id} done={done} onDismiss={() => setDone(null)} />}
      {dialog}
    </>
  )
}

interface NothingProps {
  isFiltered: boolean
  isScanning: boolean
  onClear: () => void
}

function Nothing({ isFiltered, isScanning, onClear }: NothingProps) {
  const contents = useContents()
  if (isFiltered)
    return (
      <Notice title={contents.noMatch} hint={words.noMatchHint}>
        <Button variant="default" mt="sm" onClick={onClear}>
          {words.clear}
        </Button>
      </Notice>
    )
  if (isScanning) return <Notice title={messages.scan.states.LISTING} hint={contents.looking} />
  return <Notice title={contents.empty} hint={words.emptyHint} />
}
