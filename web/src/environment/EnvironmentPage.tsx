import { Alert, Badge, Button, Group, Paper, Tabs, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useLocation } from 'wouter'
import { Breadcrumb } from '../app/Breadcrumb'
import { toSentence } from '../app/format'
import { Play, Warning } from '../app/icons'
import { messages } from '../app/messages'
import { Failure, Notice, Refused } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { Pending } from '../app/Pending'
import { routes } from '../app/routes'
import { Time } from '../app/Time'
import { EnvironmentDocument } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import { useStartTraining } from '../run/useStartTraining'
import { ConfigEditor } from './editor/ConfigEditor'
import { useDraft, type Environment } from './editor/useDraft'
import { useLeaveGuard } from './editor/useLeaveGuard'
import { EnvironmentMenu } from './EnvironmentMenu'
import { PreflightPanel } from './preflight/PreflightPanel'
import { useNewest } from './useNewest'
import { VersionsTab } from './versions/VersionsTab'

const words = messages.environments

interface EnvironmentPageProps {
  id: string
  tab?: string | undefined
}

/** An environment: its configuration to be changed, and its versions. */
export default function EnvironmentPage({ id, tab = 'config' }: EnvironmentPageProps) {
  const { data, error, refresh } = useLoaded({ query: EnvironmentDocument, variables: { id } })
  useDocumentTitle(`${data?.environment?.name ?? words.title} · ${messages.product}`)
  if (data?.environment) return <EnvironmentView environment={data.environment} tab={tab} onRefresh={refresh} />
  if (data) return <Notice title={words.missing} hint={messages.shell.notFoundHint} />
  if (error) return <Failure error={error} onRetry={refresh} />
  return (
    <Paper withBorder>
      <Pending rows={8} />
    </Paper>
  )
}

interface EnvironmentViewProps {
  environment: Environment
  tab: string
  onRefresh: () => void
}

function EnvironmentView({ environment: queried, tab, onRefresh }: EnvironmentViewProps) {
  const [, navigate] = useLocation()
  const draft = useDraft(queried, onRefresh)
  const training = useStartTraining()
  const { environment } = draft
  const { id, name, version, family, modelType, updatedAt, isTemplate, folder, fileProblem } = environment
  const numEdits = Object.keys(draft.edits).length
  const isReadOnly = !environment.mayEdit
  const guard = useLeaveGuard(numEdits > 0, routes.environment(id))
  useNewest(environment, onRefresh)

  async function start() {
    if (numEdits === 0 || (await draft.save())) await training.start(id)
    else navigate(routes.environment(id))
  }

  return (
    <>
      <Breadcrumb href={routes.environments} label={words.title} />
      <PageTitle
        title={name}
        actions={
          <Group gap={8}>
            {environment.mayStart && (
              <Button
                leftSection={<Play />}
                loading={training.isBusy}
                disabled={draft.problems.length + draft.contested.length > 0}
                onClick={() => void start()}
              >
                {numEdits > 0 ? words.saveAndStart : words.start}
              </Button>
            )}
            <EnvironmentMenu environment={environment} />
          </Group>
        }
      />
      <Group gap="lg" mb="sm" c="dimmed" fz="sm">
        <Text inherit>{words.version(version)}</Text>
        <Text inherit>
          {family} · {modelType}
        </Text>
        <Text inherit>
          {words.updated} <Time at={updatedAt} />
        </Text>
        {isTemplate && (
          <Badge variant="light" tt="none" fw={500}>
            {words.template}
          </Badge>
        )}
      </Group>
      {fileProblem !== null && (
        <Alert color="yellow" variant="light" icon={<Warning />} title={words.fileProblem} mb="sm">
          {toSentence(fileProblem)}
          {folder !== null && (
            <Text fz="xs" c="dimmed" mt={4} ff="monospace" style={{ overflowWrap: 'anywhere' }}>
              {folder}
            </Text>
          )}
        </Alert>
      )}
      <Refused message={training.problem} />
      {isReadOnly && (
        <Alert color="gray" variant="light" p="xs" mb="sm">
          {messages.editor.viewOnly}
        </Alert>
      )}
      <Tabs
        value={tab}
        onChange={(chosen) => navigate(chosen === 'versions' ? routes.versions(id) : routes.environment(id))}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="config">{words.tabs.config}</Tabs.Tab>
          <Tabs.Tab value="versions">{words.tabs.versions}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="config">
          <PreflightPanel draft={draft} isReadOnly={isReadOnly} />
          <ConfigEditor draft={draft} isReadOnly={isReadOnly} />
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <VersionsTab
            environment={environment}
            hasEdits={numEdits > 0}
            isReadOnly={isReadOnly}
            onRestored={onRefresh}
          />
        </Tabs.Panel>
      </Tabs>
      {guard}
    </>
  )
}
