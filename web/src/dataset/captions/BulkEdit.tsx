import { Button, Checkbox, Group, Modal, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { useDebouncedValue, useMediaQuery } from '@mantine/hooks'
import { useEffect, useState, type SyntheticEvent } from 'react'
import { useClient } from 'urql'
import { formatCount, toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { describeFailure, sortRefusals } from '../../graphql/errors'
import {
  EditCaptionsDocument,
  type CaptionOperationInput,
  type DatasetImageFilter,
  type EditCaptionsMutation,
} from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useContents } from '../contents'
import { Differences } from './Differences'
import { KINDS, NOTHING_TYPED, toOperation, type Typed } from './operation'
import classes from './BulkEdit.module.css'

const words = messages.bulk
const LOOK_AFTER_MS = 350

export interface Done {
  number: number
  numChanged: number
}

interface BulkEditProps {
  datasetId: string
  /** Which pictures; null for all. */
  filter: DatasetImageFilter | null
  numPictures: number
  isOpen: boolean
  onClose: () => void
  onDone: (done: Done) => void
}

/** The captions of many pictures changed in one way: what it would do is shown before it is done. */
export function BulkEdit(props: BulkEditProps) {
  const { filter, numPictures, isOpen, onClose } = props
  const contents = useContents()
  const isNarrow = useMediaQuery('(max-width: 720px)', false)
  const count = formatCount(numPictures)
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={words.title}
      size={820}
      fullScreen={isNarrow}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      <Text fz="sm" c="dimmed" mb="md">
        {filter === null ? contents.allOf(count) : contents.num(count)}
      </Text>
      {isOpen && <BulkForm {...props} />}
    </Modal>
  )
}

function BulkForm({ datasetId, filter, onClose, onDone }: BulkEditProps) {
  const [typed, setTyped] = useState(NOTHING_TYPED)
  const operation = toOperation(typed)
  const preview = usePreview(datasetId, filter, operation)
  const editing = useAction(EditCaptionsDocument, ['Dataset'])
  const numChanged = preview.result?.numChanged ?? 0

  async function apply(event: SyntheticEvent) {
    event.preventDefault()
    if (operation === null || preview.isBusy || numChanged === 0) return
    const payload = await editing.act({ datasetId, filter, operation, dryRun: false })
    if (payload === null) return
    onClose()
    if (payload.change) onDone({ number: payload.change.number, numChanged: payload.numChanged })
  }

  return (
    <form onSubmit={(event) => void apply(event)}>
      <Stack>
        <SegmentedControl
          aria-label={words.kind}
          className={classes.kinds ?? ''}
          value={typed.kind}
          onChange={(kind) => setTyped({ ...typed, kind })}
          data={KINDS.map((kind) => ({ value: kind, label: words.kinds[kind] }))}
        />
        <Fields typed={typed} onChange={(changed) => setTyped({ ...typed, ...changed })} />
        <section className={classes.preview} aria-label={words.preview} aria-busy={preview.isBusy}>
          <Preview isAsked={operation !== null} {...preview} />
        </section>
        <Refused message={editing.problem} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {messages.cancel}
          </Button>
          <Button type="submit" loading={editing.isBusy} disabled={numChanged === 0 || preview.isBusy}>
            {words.apply(formatCount(numChanged))}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

interface FieldsProps {
  typed: Typed
  onChange: (changed: Partial<Typed>) => void
}

function Fields({ typed, onChange }: FieldsProps) {
  const { kind, find, replace, isRegex, matchesCase, texts, atStart } = typed
  if (kind === 'replace')
    return (
      <>
        <div className={classes.pair}>
          <TextInput
            label={words.find}
            data-autofocus
            value={find}
            onChange={(event) => onChange({ find: event.currentTarget.value })}
          />
          <TextInput
            label={words.replace}
            value={replace}
            onChange={(event) => onChange({ replace: event.currentTarget.value })}
          />
        </div>
        <Group gap="lg">
          <Checkbox
            label={words.matchesCase}
            checked={matchesCase}
            onChange={(event) => onChange({ matchesCase: event.currentTarget.checked })}
          />
          <Checkbox
            label={words.isRegex}
            checked={isRegex}
            onChange={(event) => onChange({ isRegex: event.currentTarget.checked })}
          />
        </Group>
      </>
    )
  return (
    <>
      <TextInput
        key={kind}
        label={words.text[kind]}
        value={texts[kind]}
        onChange={(event) => onChange({ texts: { ...texts, [kind]: event.currentTarget.value } })}
      />
      {kind === 'addTag' && (
        <Checkbox
          label={words.atStart}
          checked={atStart}
          onChange={(event) => onChange({ atStart: event.currentTarget.checked })}
        />
      )}
    </>
  )
}

type Result = EditCaptionsMutation['editCaptions']

interface PreviewState {
  result: Result | null
  problem: string | null
  isBusy: boolean
}

function Preview({ isAsked, result, problem }: PreviewState & { isAsked: boolean }) {
  if (!isAsked) return <Text c="dimmed">{words.waiting}</Text>
  if (problem !== null) return <Refused message={problem} />
  if (result === null) return <Text c="dimmed">{messages.loading}</Text>
  const { differences, numChanged, numSkipped, skipped } = result
  return (
    <>
      {numChanged === 0 && <Text c="dimmed">{words.nothing}</Text>}
      <Differences differences={differences} numAll={numChanged} />
      {numSkipped > 0 && (
        <details className={classes.skipped}>
          <summary>{words.skipped(formatCount(numSkipped))}</summary>
          <ul>
            {skipped.map(({ path, reason }) => (
              <li key={path}>
                {path}: {toSentence(reason)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}

/** What an operation would do, asked once somebody pauses in typing; what was found stays until there is something newer. */
function usePreview(
  datasetId: string,
  filter: DatasetImageFilter | null,
  operation: CaptionOperationInput | null,
): PreviewState {
  const client = useClient()
  const written = JSON.stringify({ datasetId, filter, operation })
  const [settled] = useDebouncedValue(written, LOOK_AFTER_MS)
  const [found, setFound] = useState<{ of: string; result: Result | null; problem: string | null } | null>(null)

  useEffect(() => {
    const asked = JSON.parse(settled) as {
      datasetId: string
      filter: DatasetImageFilter | null
      operation: CaptionOperationInput | null
    }
    const { operation: wanted } = asked
    if (wanted === null) return
    let isOver = false
    async function ask(given: CaptionOperationInput) {
      const input = { ...asked, operation: given, dryRun: true }
      const { data, error } = await client.mutation(EditCaptionsDocument, { input })
      if (isOver) return
      const payload = data?.editCaptions
      const refused = sortRefusals(payload?.errors ?? [], []).form
      setFound({
        of: settled,
        result: payload?.errors.length === 0 ? payload : null,
        problem: error ? describeFailure(error) : refused,
      })
    }
    void ask(wanted)
    return () => {
      isOver = true
    }
  }, [client, settled])

  return {
    result: found?.result ?? null,
    problem: found?.problem ?? null,
    isBusy: operation !== null && found?.of !== written,
  }
}
