import { Button, Stack } from '@mantine/core'
import { useState } from 'react'
import { formatCount } from '../app/format'
import { Resume } from '../app/icons'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { ResumeTrainingDocument } from '../graphql/generated/documents'
import { createIdempotencyKey } from '../graphql/idempotencyKey'
import { useAction } from '../graphql/useAction'

interface ResumeButtonProps {
  runId: string
  /** Null: there is no checkpoint, so it begins anew. */
  resumeStep: number | null
  onResumed: () => void
}

export function ResumeButton({ runId, resumeStep, onResumed }: ResumeButtonProps) {
  const [idempotencyKey] = useState(createIdempotencyKey)
  const resume = useAction(ResumeTrainingDocument)
  async function act() {
    if (await resume.act({ runId, idempotencyKey })) onResumed()
  }
  return (
    <Stack gap="xs">
      <Refused message={resume.problem} />
      <Button size="sm" leftSection={<Resume />} loading={resume.isBusy} onClick={() => void act()}>
        {resumeStep === null ? messages.run.beginAgain : messages.run.resumeFrom(formatCount(resumeStep))}
      </Button>
    </Stack>
  )
}
