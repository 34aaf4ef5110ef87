import { Badge, Button, Group, Paper, Text } from '@mantine/core'
import { useEffect, useEffectEvent, useState } from 'react'
import { formatCount, toSentence } from '../../app/format'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Notice, Refused } from '../../app/Notice'
import { Panel } from '../../app/Panel'
import { Time } from '../../app/Time'
import {
  CaptionChangesDocument,
  UndoCaptionsDocument,
  type CaptionChangesQuery,
  type DatasetPartsFragment,
} from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useLoaded } from '../../graphql/useLoaded'
import { Differences } from './Differences'
import classes from './HistoryTab.module.css'

const words = messages.captionHistory
const PAGE_LENGTH = 20
const LONGEST = 100

type CaptionChange = NonNullable<CaptionChangesQuery['dataset']>['captionChanges']['edges'][number]['node']

interface HistoryTabProps {
  dataset: DatasetPartsFragment
  edition: number
}

/** What was done to captions, by whom, newest first; each edit with the way back. */
export function HistoryTab({ dataset, edition }: HistoryTabProps) {
  const [first, setFirst] = useState(PAGE_LENGTH)
  const query = useLoaded({ query: CaptionChangesDocument, variables: { id: dataset.id, first } })
  const askAgain = useEffectEvent(query.refresh)
  useEffect(() => {
    if (edition > 0) askAgain()
  }, [edition])
  return (
    <Panel title={words.title} isFlush>
      <LoadedView query={query}>
        {({ dataset: found }) => {
          const changes = found?.captionChanges
          if (!changes || changes.edges.length === 0) return <Notice title={words.empty} hint={words.emptyHint} />
          return (
            <>
              <ol className={classes.list}>
                {changes.edges.map(({ node }) => (
                  <Entry key={node.number} dataset={dataset} change={node} />
                ))}
              </ol>
              {changes.pageInfo.hasNextPage && first < LONGEST && (
                <Group justify="center" pb="sm">
                  <Button
                    variant="subtle"
                    size="sm"
                    loading={query.isBusy}
                    onClick={() => setFirst(Math.min(LONGEST, first + PAGE_LENGTH))}
                  >
                    {messages.showMore}
                  </Button>
                </Group>
              )}
            </>
          )
        }}
      </LoadedView>
    </Panel>
  )
}

function Entry({ dataset, change }: { dataset: DatasetPartsFragment; change: CaptionChange }) {
  const { number, at, operation, numImages, numFailed, undoneBy, author, captions } = change
  const [isOpen, setIsOpen] = useState(false)
  const [numSkipped, setNumSkipped] = useState(0)
  const undo = useAction(UndoCaptionsDocument, ['Dataset'])

  async function takeBack() {
    const payload = await undo.act({ datasetId: dataset.id, number })
    if (payload) setNumSkipped(payload.numSkipped)
  }

  return (
    <li className={classes.entry} aria-label={words.edit(number)}>
      <Group justify="space-between" gap="xs">
        <div className={classes.about}>
          <Group gap="xs">
            <Text fw={550} fz="sm">
              {toSentence(operation)}
            </Text>
            {undoneBy !== null && (
              <Badge variant="light" color="gray" tt="none" fw={500}>
                {words.undoneBy(undoneBy)}
              </Badge>
            )}
          </Group>
          <Text fz="xs" c="dimmed">
            {words.edit(number)} · {words.numCaptions(formatCount(numImages))} · <Time at={at} />{' '}
            {author === null ? words.byCommandLine : words.by(author.username)}
            {numFailed > 0 && ` · ${words.numFailed(formatCount(numFailed))}`}
          </Text>
        </div>
        <Group gap={6}>
          <Button size="xs" variant="subtle" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
            {isOpen ? words.hide : words.show}
          </Button>
          {dataset.mayEdit && undoneBy === null && (
            <Button
              size="xs"
              variant="default"
              aria-label={words.undoNumbered(number)}
              loading={undo.isBusy}
              onClick={() => void takeBack()}
            >
              {words.undo}
            </Button>
          )}
        </Group>
      </Group>
      <Refused message={undo.problem} />
      {numSkipped > 0 && (
        <Text fz="xs" c="dimmed">
          {words.skipped(formatCount(numSkipped))}
        </Text>
      )}
      {isOpen && (
        <Paper withBorder p="sm" mt="xs" className={classes.captions ?? ''}>
          <Differences differences={captions} numAll={numImages} />
        </Paper>
      )}
    </li>
  )
}
