import { Button, Group, Menu, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { Check, ChevronDown, Stop } from '../app/icons'
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
import { isActive } from './states'

const words = messages.run

/** What may be asked of a run while it goes on; what comes of it arrives with its updates. */
export function RunActions({ status }: { status: RunStatusFragment }) {
  const { id, state } = status
  const checkpoint = useAction(RequestCheckpointDocument)
  const validation = useAction(RequestValidationDocument)
  const stop = useAction(StopTrainingDocument)
  const problem = checkpoint.problem ?? validation.problem ?? stop.problem
  const isRunning = state === 'RUNNING'
  if (!isActive(state)) return null
  return (
    <Stack gap="xs">
      <Group gap={8}>
        <RequestButton
          label={words.checkpointNow}
          isDisabled={!isRunning}
          onAsk={() => checkpoint.act({ runId: id })}
        />
        <RequestButton label={words.validateNow} isDisabled={!isRunning} onAsk={() => validation.act({ runId: id })} />
        <StopMenu onStop={(mode) => stop.act({ runId: id, mode })} />
      </Group>
      <Refused message={problem} />
    </Stack>
  )
}

interface RequestButtonProps {
  label: string
  isDisabled: boolean
  onAsk: () => Promise<unknown>
}

/** Asks the trainer for something that it does when it comes to it; a tick says that the request has been taken. */
function RequestButton({ label, isDisabled, onAsk }: RequestButtonProps) {
  const [isBusy, setIsBusy] = useState(false)
  const [isTaken, setIsTaken] = useState(false)
  async function ask() {
    setIsBusy(true)
    const answer = await onAsk()
    setIsBusy(false)
    if (answer === null) return
    setIsTaken(true)
    setTimeout(() => setIsTaken(false), 3_000)
  }
  return (
    <Button
      size="xs"
      px={11}
      variant="default"
      disabled={isDisabled}
      loading={isBusy}
      rightSection={isTaken ? <Check size={14} /> : null}
      title={isTaken ? words.requested : undefined}
      onClick={() => void ask()}
    >
      {label}
    </Button>
  )
}

function StopMenu({ onStop }: { onStop: (mode: StopMode) => Promise<unknown> }) {
  const [confirm, dialog] = useConfirm()
  const choices: { mode: StopMode; title: string; label: string; hint: string; color?: string }[] = [
    { mode: 'SAVE_AND_STOP', title: words.stopSaveTitle, label: words.stopSave, hint: words.stopSaveHint },
    { mode: 'STOP_NOW', title: words.stopTitle, label: words.stopNow, hint: words.stopNowHint, color: 'red' },
  ]
  return (
    <>
      <Menu position="bottom-end" width={300}>
        <Menu.Target>
          <Button
            size="xs"
            px={11}
            color="red"
            variant="light"
            leftSection={<Stop />}
            rightSection={<ChevronDown size={14} />}
          >
            {words.stop}
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
