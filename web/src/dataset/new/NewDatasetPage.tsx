import { Button, Group, Input, Paper, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState, type SyntheticEvent } from 'react'
import { Link } from 'wouter'
import { Breadcrumb } from '../../app/Breadcrumb'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { PageTitle } from '../../app/PageTitle'
import { routes } from '../../app/routes'
import { useLeaveGuard } from '../../environment/editor/useLeaveGuard'
import { CaptionSource, type Strategy } from './CaptionSource'
import { ClipOptions } from './ClipOptions'
import { KINDS, suggestKind, USUAL_CLIPS, type Kind } from './clips'
import { FileDrop } from './FileDrop'
import { describeCounts, FolderBrowser, type Stop } from './FolderBrowser'
import { nameOf, sendable, tally, type Picked } from './picked'
import { suggestStrategy } from './strategy'
import { UploadReport } from './UploadReport'
import { UploadView } from './UploadView'
import { useMakeDataset, type Source } from './useMakeDataset'

const words = messages.newDataset
const WAYS = ['upload', 'folder'] as const
type Way = (typeof WAYS)[number]

/** A dataset from files of this computer or from a folder of the service's machine. */
export default function NewDatasetPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [picked, setPicked] = useState<Picked[]>([])
  const making = useMakeDataset()
  const { made, queue, outcome } = making
  const guard = useLeaveGuard(queue !== null, routes.newDataset, words)

  function chooseOthers() {
    making.forgetOutcome()
    setPicked([])
  }

  return (
    <>
      <Breadcrumb href={routes.datasets} label={messages.datasets.title} />
      <PageTitle title={made?.name ?? words.title} />
      <Stack maw={820}>
        {queue !== null ? (
          <UploadView queue={queue} onCancel={making.cancel} />
        ) : outcome !== null ? (
          <UploadReport outcome={outcome} />
        ) : (
          <Paper withBorder p="md">
            <NewDatasetForm picked={picked} onPick={setPicked} making={making} />
          </Paper>
        )}
        {queue === null && made !== null && (
          <Group>
            <Button component={Link} href={routes.dataset(made.id)} variant={outcome ? 'filled' : 'default'}>
              {messages.uploads.open}
            </Button>
            {outcome !== null && (
              <Button variant="default" onClick={chooseOthers}>
                {messages.uploads.again}
              </Button>
            )}
          </Group>
        )}
      </Stack>
      {guard}
    </>
  )
}

interface NewDatasetFormProps {
  picked: Picked[]
  onPick: (picked: Picked[]) => void
  making: ReturnType<typeof useMakeDataset>
}

/** Where the pictures are, what the dataset is called, and what its captions are; only files, once it is there. */
function NewDatasetForm({ picked, onPick, making }: NewDatasetFormProps) {
  const { made, step, refusal, make } = making
  const [chosenWay, setWay] = useState<Way>('upload')
  const [trail, setTrail] = useState<Stop[]>([])
  const [names, setNames] = useState<readonly string[]>([])
  const [typedName, setTypedName] = useState<string | null>(null)
  const [chosenStrategy, setStrategy] = useState<Strategy | null>(null)
  const [typedPrompt, setTypedPrompt] = useState<string | null>(null)
  const [chosenKind, setKind] = useState<Kind | null>(null)
  const [clips, setClips] = useState(USUAL_CLIPS)

  const way = made === null ? chosenWay : 'upload'
  const here = trail.at(-1)
  const source = sourceOf(way, picked, here)
  const strategy = chosenStrategy ?? suggestStrategy(way === 'upload' ? picked.map(({ file }) => file.name) : names)
  const kind = chosenKind ?? kindOf(way, picked, here)
  const name = typedName ?? suggestName(kind, way === 'upload' ? nameOf(picked) : here?.name)
  const prompt = typedPrompt ?? words.promptOf(name)

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if (source !== null) await make({ name: name.trim(), kind, clips, strategy, prompt: prompt.trim(), source })
  }

  function go(next: Stop[]) {
    setTrail(next)
    setNames([])
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="lg">
        {made === null && (
          <SegmentedControl
            aria-label={words.where}
            value={way}
            onChange={setWay}
            data={WAYS.map((each) => ({ value: each, label: words.ways[each] }))}
          />
        )}
        {way === 'upload' ? (
          <FileDrop picked={picked} onPick={onPick} />
        ) : (
          <FolderBrowser
            trail={trail}
            onGo={go}
            onEntries={(entries) => setNames(entries.map((entry) => entry.name))}
          />
        )}
        {made === null && (
          <>
            <TextInput
              label={words.name}
              maw={400}
              value={name}
              error={refusal.fields.name}
              onChange={(event) => setTypedName(event.currentTarget.value)}
            />
            <Input.Wrapper label={words.kind}>
              <SegmentedControl
                display="flex"
                w="fit-content"
                aria-label={words.kind}
                value={kind}
                onChange={setKind}
                data={KINDS.map((each) => ({ value: each, label: words.kinds[each] }))}
              />
            </Input.Wrapper>
            {kind === 'video' && <ClipOptions clips={clips} problem={refusal.fields.video} onChange={setClips} />}
            <CaptionSource
              kind={kind}
              strategy={strategy}
              prompt={prompt}
              problem={refusal.fields.instance_prompt}
              onStrategy={setStrategy}
              onPrompt={setTypedPrompt}
            />
          </>
        )}
        <Refused message={refusal.form} />
        <Group gap="md">
          <Button type="submit" loading={step !== null} disabled={source === null || name.trim() === ''}>
            {made !== null ? words.uploadMore : way === 'upload' ? words.upload : words.create}
          </Button>
          <Text fz="sm" c="dimmed" role="status">
            {step ?? hintOf(way, picked, here)}
          </Text>
        </Group>
      </Stack>
    </form>
  )
}

/** The folder of everything has no name that says anything. */
function suggestName(kind: Kind, name: string | null | undefined): string {
  return name && name !== '/' ? name : words.suggestions[kind]
}

function sourceOf(way: Way, picked: readonly Picked[], here: Stop | undefined): Source | null {
  if (way === 'folder') return here === undefined ? null : { folder: here.path }
  return sendable(picked).length === 0 ? null : { picked }
}

function kindOf(way: Way, picked: readonly Picked[], here: Stop | undefined): Kind {
  const { picture, video } = tally(picked)
  return way === 'upload' ? suggestKind(picture, video) : suggestKind(here?.numImages ?? 0, here?.numVideos ?? 0)
}

/** What is still missing, or what the button would do. */
function hintOf(way: Way, picked: readonly Picked[], here: Stop | undefined): string | null {
  const { picture, video, archive } = tally(picked)
  if (way === 'upload') return picture + video + archive === 0 ? words.problems.nothing : null
  if (here === undefined) return words.problems.noFolder
  const counts = describeCounts(here)
  return counts === null ? here.path : `${here.path}, ${messages.folders.here(counts)}`
}
