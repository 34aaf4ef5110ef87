import { Alert, Button, Group, Paper, Tabs, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { Breadcrumb } from '../app/Breadcrumb'
import { toSentence } from '../app/format'
import { Warning } from '../app/icons'
import { messages } from '../app/messages'
import { Failure, Notice, Refused } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Pending } from '../app/Pending'
import { routes } from '../app/routes'
import { Time } from '../app/Time'
import { DatasetDocument, ScanDatasetDocument, type DatasetPartsFragment } from '../graphql/generated/documents'
import { isRecord } from '../environment/editor/values'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { useMay } from '../user/viewer'
import { HistoryTab } from './captions/HistoryTab'
import { Contents, contentsOf } from './contents'
import { AddPictures } from './new/AddPictures'
import { PicturesTab } from './pictures/PicturesTab'
import { isUnderWay } from './scan/scan'
import { ScanProgress } from './scan/ScanProgress'
import { useScan } from './scan/useScan'
import { SettingsTab } from './settings/SettingsTab'

const words = messages.datasets
const TABS = ['pictures', 'settings', 'captions'] as const
type Tab = (typeof TABS)[number]

interface DatasetPageProps {
  id: string
  tab?: string | undefined
}

/** A dataset: its pictures, its settings, and what was done to its captions. */
export default function DatasetPage({ id, tab = 'pictures' }: DatasetPageProps) {
  const { data, error, refresh } = useLoaded({ query: DatasetDocument, variables: { id } })
  useDocumentTitle(`${data?.dataset?.name ?? words.title} · ${messages.product}`)
  if (!isTab(tab)) return <Notice title={messages.shell.notFound} hint={messages.shell.notFoundHint} />
  if (data?.dataset) return <DatasetView dataset={data.dataset} tab={tab} onRefresh={refresh} />
  if (data) return <Notice title={words.missing} hint={messages.shell.notFoundHint} />
  if (error) return <Failure error={error} onRetry={refresh} />
  return (
    <Paper withBorder>
      <Pending rows={8} />
    </Paper>
  )
}

function isTab(tab: string): tab is Tab {
  return (TABS as readonly string[]).includes(tab)
}

interface DatasetViewProps {
  dataset: DatasetPartsFragment
  tab: Tab
  onRefresh: () => void
}

function DatasetView({ dataset, tab, onRefresh }: DatasetViewProps) {
  const { id, name, kind, version, updatedAt } = dataset
  const [, navigate] = useLocation()
  // Counts how often there was something new to be seen.
  const [edition, setEdition] = useState(0)
  const renew = () => setEdition((before) => before + 1)
  const scan = useScan(id, dataset.scan, renew)
  const scanning = useAction(ScanDatasetDocument)
  const folder = folderOf(dataset)
  const contents = contentsOf(dataset)
  const may = useMay()
  return (
    <Contents value={contents}>
      <Breadcrumb href={routes.datasets} label={words.title} />
      <PageTitle
        title={name}
        actions={
          <Group gap={8}>
            {folder !== null && may('config.create') && <AddPictures datasetId={id} folder={folder} />}
            <Button
              variant={scan === null ? 'filled' : 'default'}
              loading={scanning.isBusy}
              disabled={isUnderWay(scan)}
              onClick={() => void scanning.act({ id })}
            >
              {scan === null ? messages.scan.begin : messages.scan.again}
            </Button>
          </Group>
        }
      />
      <Group gap="lg" mb="sm" c="dimmed" fz="sm">
        <Text inherit>{words.kinds[kind] ?? kind}</Text>
        <Text inherit>{words.version(version)}</Text>
        <Text inherit>
          {words.updated} <Time at={updatedAt} />
        </Text>
        <ScanProgress scan={scan} />
      </Group>
      <Refused message={scanning.problem} />
      {scan?.state === 'FAILED' && (
        <Alert color="red" variant="light" icon={<Warning />} title={messages.scan.failed} mb="sm" role="alert">
          {toSentence(scan.error ?? messages.scan.noReason)}
        </Alert>
      )}
      <Tabs
        value={tab}
        onChange={(chosen) => navigate(routes.dataset(id, chosen === 'pictures' ? undefined : (chosen ?? undefined)))}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {TABS.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {each === 'pictures' ? messages.contents[contents].title : words.tabs[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="pictures">
          <PicturesTab dataset={dataset} scan={scan} edition={edition} onChanged={renew} />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <SettingsTab dataset={dataset} onRefresh={onRefresh} />
        </Tabs.Panel>
        <Tabs.Panel value="captions">
          <HistoryTab dataset={dataset} edition={edition} />
        </Tabs.Panel>
      </Tabs>
    </Contents>
  )
}

/** The folder that more pictures can be put into; null where they come from elsewhere. */
function folderOf({ config, mayEdit }: DatasetPartsFragment): string | null {
  if (!mayEdit || !isRecord(config)) return null
  const { type = 'local', instance_data_dir: folder } = config
  return type === 'local' && typeof folder === 'string' && folder !== '' ? folder : null
}
