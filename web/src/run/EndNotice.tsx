import { Alert, Button, Group, Text } from '@mantine/core'
import { Link } from 'wouter'
import { formatCount, toSentence } from '../app/format'
import { Warning } from '../app/icons'
import { messages } from '../app/messages'
import { routes } from '../app/routes'
import type { RunState, RunStatusFragment } from '../graphql/generated/documents'
import { useMay, useMayTo } from '../user/viewer'
import { ResumeButton } from './ResumeButton'

const words = messages.run

const TITLES: Partial<Record<RunState, string>> = {
  FAILED: words.failedTitle,
  LOST: words.lostTitle,
  STOPPED: words.stoppedTitle,
}

interface EndNoticeProps {
  environmentId: string | undefined
  ownerId: string | undefined
  status: RunStatusFragment
  onResumed: () => void
  /** Opens what can be changed before it goes on. */
  onChange: (step: number) => void
}

/** Why a run ended before its last step, and the way to go on from its newest checkpoint. */
export function EndNotice({ environmentId, ownerId, status, onResumed, onChange }: EndNoticeProps) {
  const may = useMay()
  const mayTo = useMayTo()
  const { state, endReason, resumeStep } = status
  const title = TITLES[state]
  if (title === undefined) return null
  const isStopped = state === 'STOPPED'
  const reason = endReason === null ? (isStopped ? null : words.noReason) : toSentence(endReason)
  return (
    <Alert
      color={isStopped ? 'gray' : 'red'}
      variant="light"
      title={title}
      icon={isStopped ? null : <Warning />}
      role="status"
    >
      <Group justify="space-between" align="flex-end" gap="sm">
        <div style={{ flex: '1 1 260px', minWidth: 0 }}>
          {reason !== null && (
            <Text fz="sm" mb={4} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
              {reason}
            </Text>
          )}
          <Text fz="sm" c="dimmed">
            {resumeStep === null ? words.notResumable : words.resumable(formatCount(resumeStep))}
          </Text>
        </div>
        {may('job.submit') && mayTo('job.cancel', ownerId) && (
          <Group gap="xs">
            {resumeStep !== null && (
              <Button size="sm" variant="default" onClick={() => onChange(resumeStep)}>
                {words.resumeOtherwise}
              </Button>
            )}
            {resumeStep === null && environmentId !== undefined && (
              <Button size="sm" variant="default" component={Link} href={routes.environment(environmentId)}>
                {words.openEnvironment}
              </Button>
            )}
            <ResumeButton runId={status.id} resumeStep={resumeStep} onResumed={onResumed} />
          </Group>
        )}
      </Group>
    </Alert>
  )
}
