import { messages } from '../app/messages'
import { formatCount } from '../app/format'

const words = messages.resume

/** What a run was like when it ended, as far as it bears on going on. */
export interface Resumable {
  step: number
  totalSteps: number | null
  isFinished: boolean
  learningRate: number | null
  /** Of its checkpoints. */
  steps: readonly number[]
}

/** What somebody typed into the dialog; empty means as it was. */
export interface Wanted {
  fromStep: number
  learningRate: string
  length: string
}

export interface Change {
  name: string
  before: string
  after: string
}

/** What going on so would mean, and what is sent to ask for it; problems keep it from being sent. */
export interface Resumption {
  changes: Change[]
  notes: string[]
  problems: { learningRate?: string; length?: string }
  input: { fromStep: number | null; learningRate: number | null; maxTrainSteps: number | null }
}

export function plan(run: Resumable, wanted: Wanted): Resumption {
  const { fromStep } = wanted
  const newest = Math.max(...run.steps)
  const later = run.steps.filter((step) => step > fromStep).sort((one, other) => one - other)
  const rate = readNumber(wanted.learningRate)
  const length = readNumber(wanted.length)
  const isOtherRate = rate !== null && rate !== run.learningRate
  const isOtherLength = length !== null && length !== run.totalSteps
  const total = length ?? run.totalSteps ?? Infinity
  const changes: Change[] = []
  if (isOtherRate)
    changes.push({ name: words.learningRate, before: formatRate(run.learningRate), after: formatRate(rate) })
  if (isOtherLength)
    changes.push({
      name: words.length,
      before: run.totalSteps === null ? messages.none : formatCount(run.totalSteps),
      after: formatCount(length),
    })
  const notes: string[] = []
  if (run.step > fromStep) notes.push(words.again(formatCount(fromStep + 1), formatCount(Math.min(run.step, total))))
  if (later.length > 0) notes.push(words.aside(later.map(formatCount).join(', ')))
  const problems: Resumption['problems'] = {}
  if (Number.isNaN(rate) || (rate !== null && rate <= 0)) problems.learningRate = words.number
  if (length !== null && !Number.isInteger(length)) problems.length = words.whole
  else if (total <= fromStep)
    problems.length =
      run.isFinished && !isOtherLength ? words.longer(formatCount(total)) : words.behind(formatCount(fromStep))
  return {
    changes,
    notes,
    problems,
    input: {
      fromStep: fromStep === newest ? null : fromStep,
      learningRate: isOtherRate ? rate : null,
      maxTrainSteps: isOtherLength ? length : null,
    },
  }
}

/** Null for nothing, NaN for what is no number. */
function readNumber(text: string): number | null {
  const typed = text.trim()
  return typed === '' ? null : Number(typed)
}

function formatRate(rate: number | null): string {
  return rate === null ? messages.none : String(rate)
}
