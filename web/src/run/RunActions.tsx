import { Button, Group, Loader, Menu, Stack, Text } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { Check, ChevronDown, Picture, Save, Stop } from '../app/icons'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { useConfirm } from '../app/useConfirm'
import {
  RequestCheckpointDocument,
  RequestValidationDocument,
  StopTrainingDocument,
  type RunStatusFragment,
  type StopMode,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { isAnswered, lookAt, type Look } from './requests'
import { hasEnded, isWaiting } from './states'

const words = messages.run

interface RunActionsProps {
  status: RunStatusFragment
  hasPrompts: boolean
}

/** What may be asked of a run while it goes on; what comes of it arrives with its updates. */
export function RunActions({ status, hasPrompts }: RunActionsProps) {
  const { id, state } = status
  const checkpoint = useAction(RequestCheckpointDocument)
  const validation = useAction(RequestValidationDocument)
  const stop = useAction(StopTrainingDocument)
  const problem = checkpoint.problem ?? validation.problem ?? stop.problem
  if (hasEnded(state)) return null
  return (
    <Stack gap="xs">
      <Group gap={8}>
        {!isWaiting(state) && (
          <>
            <RequestButton
              label={words.checkpointNow}
              hint={words.checkpointHint}
              icon={<Save size={14} />}
              phase="save"
              status={status}
              onAsk={() => checkpoint.act({ runId: id })}
            />
            <RequestButton
              label={words.validateNow}
              hint={words.validateHint}
              icon={<Picture size={14} />}
              phase="validate"
              status={status}
              missing={hasPrompts ? undefined : words.noPrompts}
              onAsk={() => validation.act({ runId: id })}
            />
          </>
        )}
        <StopMenu status={status} onStop={(mode) => stop.act({ runId: id, mode })} />
      </Group>
      <Refused message={problem} />
    </Stack>
  )
}

interface RequestButtonProps {
  label: string
  hint: string
  icon: ReactNode
  /** What the trainer is in while it does it. */
  phase: string
  status: RunStatusFragment
  /** What it would need and the run has not. */
  missing?: string | undefined
  onAsk: () => Promise<unknown>
}

/** Asks the trainer for something. It is done when the trainer says so, not when the request was taken. */
function RequestButton({ label, hint, icon, phase, status, missing, onAsk }: RequestButtonProps) {
  const [isSending, setIsSending] = useState(false)
  const [asked, setAsked] = useState<Look | null>(null)
  const now = lookAt(status, phase)
  const isPending = isSending || (asked !== null && !isAnswered(asked, now))
  const isDone = asked !== null && !isPending && status.state === 'RUNNING'
  const reason = missing ?? (status.state === 'RUNNING' ? undefined : words.notYetRunning)
  async function ask() {
    setIsSending(true)
    const answer = await onAsk()
    setIsSending(false)
    setAsked(answer === null ? null : now)
  }
  return (
    <Button
      size="xs"
      px={11}
      variant="default"
      disabled={reason !== undefined || isPending}
      leftSection={isPending ? <Loader size={14} /> : isDone ? <Check size={14} /> : icon}
      title={reason ?? (isPending ? words.asked : isDone ? words.done : hint)}
      aria-busy={isPending}
      onClick={() => void ask()}
    >
      {label}
    </Button>
  )
}

interface StopMenuProps {
  status: RunStatusFragment
  onStop: (mode: StopMode) => Promise<unknown>
}

interface Choice {
  mode: StopMode
  title: string
  label: string
  hint: string
  color?: string
}

const SAVE_AND_STOP: Choice = {
  mode: 'SAVE_AND_STOP',
  title: words.stopSaveTitle,
  label: words.stopSave,
  hint: words.stopSaveHint,
}
const STOP_NOW: Choice = {
  mode: 'STOP_NOW',
  title: words.stopTitle,
  label: words.stopNow,
  hint: words.stopNowHint,
  color: 'red',
}
const WITHDRAW: Choice = {
  mode: 'STOP_NOW',
  title: words.withdrawTitle,
  label: words.withdraw,
  hint: words.withdrawHint,
  color: 'red',
}

/** What is on its way can only become more urgent; what waits has nothing to save. */
function StopMenu({ status: { state, stopMode }, onStop }: StopMenuProps) {
  const [confirm, dialog] = useConfirm()
  const isStopping = state === 'STOPPING'
  const choices = isWaiting(state) ? [WITHDRAW] : isStopping ? [STOP_NOW] : [SAVE_AND_STOP, STOP_NOW]
  const isAtOnce = isStopping && stopMode !== 'SAVE_AND_STOP'
  return (
    <>
      <Menu position="bottom-end" width={300}>
        <Menu.Target>
          <Button
            size="xs"
            px={11}
            color="red"
            variant="light"
            disabled={isAtOnce}
            leftSection={isStopping ? <Loader size={14} color="red" /> : <Stop />}
            rightSection={<ChevronDown size={14} />}
          >
            {isStopping ? words.stopping[stopMode ?? 'STOP_NOW'] : words.stop}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {choices.map(({ mode, title, label, hint, color = '' }) => (
            <Menu.Item
              key={mode}
              onClick={() => confirm({ title, hint, yes: label, color, onYes: () => onStop(mode) })}
            >
              <Text fz="sm" fw={550}>
                {label}
              </Text>
              <Text fz="xs" c="dimmed">
                {hint}
              </Text>
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {dialog}
    </>
  )
}
