import { Badge, Button, Group, Text, TextInput, UnstyledButton } from '@mantine/core'
import { useEffect, useEffectEvent, useState, type KeyboardEvent } from 'react'
import { formatCount } from '../../app/format'
import { Folder, Plus } from '../../app/icons'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { CreateFolderDocument, DirectoryDocument, type DirectoryQuery } from '../../graphql/generated/documents'
import { createIdempotencyKey } from '../../graphql/idempotencyKey'
import { useAction } from '../../graphql/useAction'
import { useLoaded } from '../../graphql/useLoaded'
import classes from './FolderBrowser.module.css'

const words = messages.folders
const CONTEXT = { additionalTypenames: ['Directory'] }

type Directory = NonNullable<DirectoryQuery['directory']>
export type DirectoryEntry = Directory['entries'][number]

/** A folder on the way from where one began. */
export interface Stop {
  path: string
  name: string
  numImages: number | null
  numVideos: number | null
}

interface FolderBrowserProps {
  /** The way to the open folder; empty for the list of those where one can begin. */
  trail: readonly Stop[]
  onGo: (trail: Stop[]) => void
  /** What is in the open folder is known. */
  onEntries: (entries: readonly DirectoryEntry[]) => void
}

/** The folders of the service's machine, as far as they are open to the viewer. */
export function FolderBrowser({ trail, onGo, onEntries }: FolderBrowserProps) {
  const here = trail.at(-1)
  return (
    <section className={classes.browser} aria-label={words.title}>
      <nav className={classes.trail} aria-label={words.path}>
        <Crumb label={words.roots} isHere={trail.length === 0} onGo={() => onGo([])} />
        {trail.map((stop, place) => (
          <Crumb
            key={stop.path}
            label={stop.name}
            isHere={place === trail.length - 1}
            onGo={() => onGo(trail.slice(0, place + 1))}
          />
        ))}
      </nav>
      <OpenFolder
        key={here?.path}
        path={here?.path ?? null}
        onOpen={(stop) => onGo([...trail, stop])}
        onEntries={onEntries}
      />
    </section>
  )
}

interface OpenFolderProps extends Pick<FolderBrowserProps, 'onEntries'> {
  path: string | null
  onOpen: (stop: Stop) => void
}

/** What is in one folder; nothing of another one is shown in its place. */
function OpenFolder({ path, onOpen, onEntries }: OpenFolderProps) {
  const query = useLoaded({ query: DirectoryDocument, variables: { path }, context: CONTEXT })
  const directory = query.data?.directory
  const tell = useEffectEvent(onEntries)
  useEffect(() => {
    if (directory && path !== null) tell(directory.entries)
  }, [directory, path])
  return (
    <>
      <div className={classes.list}>
        <LoadedView query={query} rows={4}>
          {({ directory: found }) => found && <Entries directory={found} onOpen={onOpen} />}
        </LoadedView>
      </div>
      {directory?.canWrite && path !== null && <NewFolder path={path} onMade={onOpen} />}
    </>
  )
}

function Crumb({ label, isHere, onGo }: { label: string; isHere: boolean; onGo: () => void }) {
  return (
    <UnstyledButton className={classes.crumb ?? ''} aria-current={isHere ? 'location' : undefined} onClick={onGo}>
      {label}
    </UnstyledButton>
  )
}

function Entries({ directory, onOpen }: { directory: Directory; onOpen: (stop: Stop) => void }) {
  const folders = directory.entries.filter(({ isDirectory }) => isDirectory)
  const files = directory.entries.filter(({ isDirectory }) => !isDirectory)
  const numMore = directory.numEntries - directory.entries.length
  return (
    <>
      {directory.entries.length === 0 && (
        <Text c="dimmed" fz="sm" p="md">
          {words.empty}
        </Text>
      )}
      {folders.map((entry) => (
        <UnstyledButton
          key={entry.path}
          className={classes.folder ?? ''}
          aria-label={words.open(entry.name)}
          onClick={() => onOpen(stopOf(entry))}
        >
          <Folder />
          <span className={classes.name}>
            {entry.name}
            {directory.path === null && entry.path !== entry.name && (
              <span className={classes.place}>{entry.path}</span>
            )}
          </span>
          {entry.hasDataset && (
            <Badge variant="light" color="gray" tt="none" fw={500}>
              {words.used}
            </Badge>
          )}
          <span className={classes.count}>{describeCounts(entry) ?? words.uncounted}</span>
        </UnstyledButton>
      ))}
      {files.length > 0 && (
        <ul className={classes.files}>
          {files.map(({ path, name }) => (
            <li key={path}>{name}</li>
          ))}
        </ul>
      )}
      {numMore > 0 && (
        <Text c="dimmed" fz="xs" px="md" pb="sm">
          {words.more(formatCount(numMore))}
        </Text>
      )}
      {directory.remarks.map((remark) => (
        <Text key={remark} c="dimmed" fz="xs" px="md" pb="sm">
          {remark}
        </Text>
      ))}
    </>
  )
}

function stopOf({ path, name, numImages, numVideos }: DirectoryEntry): Stop {
  return { path, name, numImages, numVideos }
}

/** "3 pictures, 2 videos"; null where there is too much to count. */
export function describeCounts({ numImages, numVideos }: Pick<Stop, 'numImages' | 'numVideos'>): string | null {
  if (numImages === null || numVideos === null) return null
  const videos = words.videos(formatCount(numVideos))
  if (numVideos === 0) return words.images(formatCount(numImages))
  return numImages === 0 ? videos : `${words.images(formatCount(numImages))}, ${videos}`
}

function NewFolder({ path, onMade }: { path: string; onMade: (stop: Stop) => void }) {
  const [name, setName] = useState<string | null>(null)
  const create = useAction(CreateFolderDocument, ['Directory'])

  async function make() {
    const wanted = name?.trim() ?? ''
    if (wanted === '') return
    const payload = await create.act({ path, name: wanted, idempotencyKey: createIdempotencyKey() })
    if (!payload?.directory?.path) return
    setName(null)
    onMade({ path: payload.directory.path, name: wanted, numImages: 0, numVideos: 0 })
  }

  function onKey(event: KeyboardEvent) {
    // The form around makes a dataset.
    if (event.key !== 'Enter') return
    event.preventDefault()
    void make()
  }

  return (
    <div className={classes.foot}>
      {name === null ? (
        <Button size="compact-sm" variant="subtle" leftSection={<Plus size={14} />} onClick={() => setName('')}>
          {words.create}
        </Button>
      ) : (
        <Group gap="xs">
          <TextInput
            size="xs"
            aria-label={words.createName}
            placeholder={words.createName}
            autoFocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            onKeyDown={onKey}
          />
          <Button size="xs" loading={create.isBusy} disabled={name.trim() === ''} onClick={() => void make()}>
            {words.createYes}
          </Button>
          <Button size="xs" variant="default" onClick={() => setName(null)}>
            {messages.cancel}
          </Button>
        </Group>
      )}
      <Refused message={create.problem} />
    </div>
  )
}
