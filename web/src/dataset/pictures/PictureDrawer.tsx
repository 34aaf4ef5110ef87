import { ActionIcon, Anchor, Badge, Button, Drawer, Group, SegmentedControl, Stack, Text } from '@mantine/core'
import { useState, type KeyboardEvent } from 'react'
import { formatBytes, formatCount, formatSeconds, toSentence } from '../../app/format'
import { ChevronLeft, ChevronRight, External } from '../../app/icons'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { ExcludeImagesDocument, type DatasetPartsFragment } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useContents } from '../contents'
import { CaptionEditor } from './CaptionEditor'
import type { Picture, PictureEdge, Selection } from './pictureFeed'
import { colorOf, isUnusable, labelOf } from './problems'
import { describeShape } from './Summary'
import { TrainingView } from './TrainingView'
import classes from './PictureDrawer.module.css'

const words = messages.picture
type View = 'file' | 'training'

interface PictureDrawerProps {
  dataset: DatasetPartsFragment
  selection: Selection
  edges: readonly PictureEdge[]
  openId: string | null
  onOpen: (picture: Picture | null) => void
  onReplace: (pictures: readonly Picture[]) => void
  onCopies: (picture: Picture) => void
  onChanged: () => void
}

/** One picture beside the list: as it is, as training sees it, with its caption. */
export function PictureDrawer(props: PictureDrawerProps) {
  const { edges, openId, onOpen } = props
  const contents = useContents()
  const place = edges.findIndex(({ node }) => node.id === openId)
  const picture = edges[place]?.node
  const [view, setView] = useState<View>('file')
  const neighbours = { ArrowLeft: edges[place - 1]?.node, ArrowRight: edges[place + 1]?.node }

  function moveByKey(event: KeyboardEvent) {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    // In a text the arrows go from letter to letter, and among radio buttons from one to the next.
    if (event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLInputElement) return
    const next = neighbours[event.key]
    if (next) onOpen(next)
  }

  return (
    <Drawer
      opened={picture !== undefined}
      onClose={() => onOpen(null)}
      onKeyDown={moveByKey}
      position="right"
      size="lg"
      title={picture && <span className={classes.title}>{picture.path}</span>}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {picture && (
        <Stack gap="md">
          <Group justify="space-between">
            <SegmentedControl
              size="xs"
              aria-label={words.view}
              value={view}
              onChange={setView}
              data={(['file', 'training'] as const).map((each) => ({ value: each, label: words.views[each] }))}
            />
            <Group gap={6}>
              <Move label={contents.previous} target={neighbours.ArrowLeft} onOpen={onOpen} Icon={ChevronLeft} />
              <Move label={contents.next} target={neighbours.ArrowRight} onOpen={onOpen} Icon={ChevronRight} />
            </Group>
          </Group>
          {view === 'training' ? (
            <TrainingView
              key={picture.id}
              datasetId={props.dataset.id}
              picture={picture}
              selection={props.selection}
              after={edges[place - 1]?.cursor ?? null}
            />
          ) : (
            <FileView picture={picture} />
          )}
          <Facts picture={picture} onCopies={() => props.onCopies(picture)} />
          {!isUnusable(picture.problems) && (
            <CaptionEditor
              key={`caption ${picture.id}`}
              dataset={props.dataset}
              picture={picture}
              onSaved={props.onReplace}
            />
          )}
          {props.dataset.mayEdit && <Exclusion key={`exclusion ${picture.id}`} {...props} picture={picture} />}
        </Stack>
      )}
    </Drawer>
  )
}

interface MoveProps {
  label: string
  target: Picture | undefined
  onOpen: (picture: Picture) => void
  Icon: typeof ChevronLeft
}

function Move({ label, target, onOpen, Icon }: MoveProps) {
  return (
    <ActionIcon
      variant="default"
      aria-label={label}
      title={label}
      disabled={target === undefined}
      onClick={() => target && onOpen(target)}
    >
      <Icon />
    </ActionIcon>
  )
}

function FileView({ picture }: { picture: Picture }) {
  const { path, url, width, height, problems, message, durationSeconds, thumbnailUrl } = picture
  if (isUnusable(problems) || width === null || height === null)
    return (
      <div className={classes.nothing}>
        {problems.map(labelOf).join(', ')}
        {message !== null && <Text fz="xs">{toSentence(message)}</Text>}
      </div>
    )
  if (durationSeconds !== null)
    return (
      <video
        key={url}
        className={classes.image}
        src={url}
        poster={thumbnailUrl}
        aria-label={words.alt(path)}
        controls
        loop
        muted
        playsInline
      />
    )
  return <img className={classes.image} src={url} alt={words.alt(path)} />
}

function Facts({ picture, onCopies }: { picture: Picture; onCopies: () => void }) {
  const { width, height, bucket, clipFrames, format, mode, sizeBytes, problems, leftOut, url } = picture
  const { numFrames, durationSeconds } = picture
  const file = [format, mode, sizeBytes === null ? null : formatBytes(sizeBytes)].filter((each) => each !== null)
  return (
    <div>
      <dl className={classes.facts}>
        <div>
          <dt>{words.size}</dt>
          <dd>{width === null || height === null ? messages.none : `${width} × ${height}`}</dd>
        </div>
        <div>
          <dt>{words.bucket}</dt>
          <dd>{bucket === null ? messages.none : describeShape(bucket.width, bucket.height, clipFrames ?? 1)}</dd>
        </div>
        {durationSeconds !== null && (
          <div>
            <dt>{words.length}</dt>
            <dd>{words.lengthOf(formatCount(numFrames), formatSeconds(durationSeconds))}</dd>
          </div>
        )}
        <div>
          <dt>{words.format}</dt>
          <dd>
            {file.join(', ') || messages.none}{' '}
            <Anchor href={url} target="_blank" rel="noreferrer" fz="xs" aria-label={words.original}>
              <External size={12} />
            </Anchor>
          </dd>
        </div>
      </dl>
      {(problems.length > 0 || leftOut !== null) && (
        <Group gap={6} mt={10}>
          {problems.map((problem) => (
            <Badge key={problem} variant="light" color={colorOf(problem)} tt="none" fw={500}>
              {labelOf(problem)}
            </Badge>
          ))}
          {problems.includes('DUPLICATE') && (
            <Button size="compact-xs" variant="subtle" onClick={onCopies}>
              {words.showCopies}
            </Button>
          )}
          {leftOut !== null && (
            <Text fz="xs" c="dimmed">
              {toSentence(leftOut)}
            </Text>
          )}
        </Group>
      )}
    </div>
  )
}

function Exclusion({ dataset, picture, onChanged }: PictureDrawerProps & { picture: Picture }) {
  const exclusion = useAction(ExcludeImagesDocument)
  const { id, isExcluded } = picture

  async function toggle() {
    if (await exclusion.act({ datasetId: dataset.id, imageIds: [id], excluded: !isExcluded })) onChanged()
  }

  return (
    <>
      <Refused message={exclusion.problem} />
      <Group>
        <Button
          variant="default"
          color={isExcluded ? 'brand' : 'red'}
          size="xs"
          loading={exclusion.isBusy}
          onClick={() => void toggle()}
        >
          {isExcluded ? words.include : words.exclude}
        </Button>
      </Group>
    </>
  )
}
