import { Button, CloseButton } from '@mantine/core'
import { useState } from 'react'
import { formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { UndoCaptionsDocument } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import type { Done } from './BulkEdit'
import classes from './DoneNotice.module.css'

const words = messages.bulk

interface DoneNoticeProps {
  datasetId: string
  done: Done
  onDismiss: () => void
}

/** What has just been done to captions, and the way back, over the lower edge of the page. */
export function DoneNotice({ datasetId, done, onDismiss }: DoneNoticeProps) {
  const undo = useAction(UndoCaptionsDocument, ['Dataset'])
  const [numUndone, setNumUndone] = useState<number | null>(null)

  async function takeBack() {
    const payload = await undo.act({ datasetId, number: done.number })
    if (payload) setNumUndone(payload.numChanged)
  }

  return (
    <div className={classes.place} role="status">
      <div className={classes.notice}>
        <span>
          {undo.problem ??
            (numUndone === null ? words.done(formatCount(done.numChanged)) : words.undone(formatCount(numUndone)))}
        </span>
        {numUndone === null && (
          <Button size="compact-sm" variant="light" loading={undo.isBusy} onClick={() => void takeBack()}>
            {words.undo}
          </Button>
        )}
        <CloseButton size="sm" aria-label={words.dismiss} onClick={onDismiss} />
      </div>
    </div>
  )
}
