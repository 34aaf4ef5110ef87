import type { RunStatusFragment } from '../graphql/generated/documents'

/** What is seen of a run that was asked for something, at one moment. */
export interface Look {
  isRunning: boolean
  step: number
  /** Whether the trainer is at it. */
  isAtWork: boolean
  /** When it was done last. */
  doneAt: string | null
}

/** After so many steps without a sign, the trainer had nothing to do: a checkpoint of that step was there already. */
const STEPS_OF_SILENCE = 3

export function lookAt(status: Pick<RunStatusFragment, 'state' | 'step' | 'phases'>, phase: string): Look {
  const found = status.phases.find(({ name }) => name === phase)
  return {
    isRunning: status.state === 'RUNNING',
    step: status.step,
    isAtWork: found?.endedAt === null,
    doneAt: found?.endedAt ?? null,
  }
}

/** Whether what was asked for has been done since, or will not be any more. */
export function isAnswered(asked: Look, now: Look): boolean {
  if (!now.isRunning) return true
  if (now.isAtWork) return false
  return (now.doneAt !== null && now.doneAt !== asked.doneAt) || now.step >= asked.step + STEPS_OF_SILENCE
}

/** Whether there is anything to draw at a validation of a run with this configuration. */
export function hasPrompts(config: unknown): boolean {
  const { validation_disable, validation_prompt, user_prompt_library, validation_prompt_library } = config as Readonly<
    Record<string, unknown>
  >
  const sources = [validation_prompt, user_prompt_library, validation_prompt_library]
  return validation_disable !== true && sources.some((source) => source && !isEmpty(source))
}

function isEmpty(source: unknown): boolean {
  return typeof source === 'object' && source !== null && Object.keys(source).length === 0
}
