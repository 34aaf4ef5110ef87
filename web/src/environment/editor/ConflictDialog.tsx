import { Button, Group, Modal, Radio, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { messages } from '../../app/messages'
import { Time } from '../../app/Time'
import { describe } from '../changes'
import type { Draft } from './useDraft'
import classes from './ConflictDialog.module.css'

const words = messages.editor

interface ConflictDialogProps {
  draft: Draft
  labelOf: (key: string) => string
  isOpen: boolean
  onClose: () => void
}

/** Options that two people changed at once, each with both values, to be decided one by one. */
export function ConflictDialog({ draft, labelOf, isOpen, onClose }: ConflictDialogProps) {
  const [sides, setSides] = useState<Record<string, string>>({})
  const { contested } = draft
  const mine = contested.filter((key) => sides[key] !== 'theirs')

  return (
    <Modal
      opened={isOpen && contested.length > 0}
      onClose={onClose}
      title={words.conflictTitle}
      size="lg"
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      <Stack>
        <Text fz="sm" c="dimmed">
          {words.conflictHint}
        </Text>
        {contested.map((key) => {
          const change = draft.environment.lastChanges.find((each) => each.key === key)
          return (
            <Radio.Group
              key={key}
              label={labelOf(key)}
              value={sides[key] ?? 'mine'}
              onChange={(side) => setSides({ ...sides, [key]: side })}
            >
              <div className={classes.sides}>
                <Radio.Card value="mine" className={classes.side ?? ''}>
                  <span className={classes.whose}>{words.mine}</span>
                  <code>{draft.edits[key]?.problem ?? describe(key, draft.edits[key]?.value)}</code>
                </Radio.Card>
                <Radio.Card value="theirs" className={classes.side ?? ''}>
                  <span className={classes.whose}>
                    {change?.version.author?.username ?? words.somebody}
                    {change && (
                      <>
                        , <Time at={change.version.at} />
                      </>
                    )}
                  </span>
                  <code>{describe(key, draft.saved[key])}</code>
                </Radio.Card>
              </div>
            </Radio.Group>
          )
        })}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {messages.cancel}
          </Button>
          <Button
            onClick={() => {
              draft.settle(mine)
              setSides({})
              onClose()
            }}
          >
            {words.settleYes}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
