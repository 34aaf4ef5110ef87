import { Button, Group, Modal, NativeSelect, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { formatCount } from '../app/format'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import { ResumeTrainingDocument } from '../graphql/generated/documents'
import { createIdempotencyKey } from '../graphql/idempotencyKey'
import { useAction } from '../graphql/useAction'
import { plan, type Resumable, type Resumption } from './resumption'
import classes from './ResumeDialog.module.css'

const words = messages.resume

interface ResumeDialogProps {
  runId: string
  run: Resumable
  /** Where to go on from, until another step is chosen; null: the dialog is closed. */
  fromStep: number | null
  onClose: () => void
  onResumed: () => void
}

/** From where a run goes on, and what is to be different from there; it says before what that will mean. */
export function ResumeDialog({ fromStep, onClose, ...rest }: ResumeDialogProps) {
  return (
    <Modal
      opened={fromStep !== null}
      onClose={onClose}
      title={words.title}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {fromStep !== null && <ResumeForm {...rest} fromStep={fromStep} onClose={onClose} />}
    </Modal>
  )
}

function ResumeForm({ runId, run, onClose, onResumed, ...given }: ResumeDialogProps & { fromStep: number }) {
  const [fromStep, setFromStep] = useState(given.fromStep)
  const [learningRate, setLearningRate] = useState('')
  const [length, setLength] = useState('')
  const [idempotencyKey] = useState(createIdempotencyKey)
  const resume = useAction(ResumeTrainingDocument)
  const resumption = plan(run, { fromStep, learningRate, length })
  const refused = sortRefusals(resume.errors, ['learning_rate', 'max_train_steps'])
  const problems = {
    learningRate: resumption.problems.learningRate ?? refused.fields.learning_rate,
    length: resumption.problems.length ?? refused.fields.max_train_steps,
  }
  const newest = Math.max(...run.steps)
  const steps = [...run.steps].sort((one, other) => other - one)

  async function act() {
    // Another wish is another request: the key of one that was refused must not answer it.
    const key = `${idempotencyKey}:${JSON.stringify(resumption.input)}`
    if (!(await resume.act({ runId, ...resumption.input, idempotencyKey: key }))) return
    onClose()
    onResumed()
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void act()
      }}
    >
      <Stack gap="sm">
        <NativeSelect
          label={words.from}
          value={String(fromStep)}
          data={steps.map((step) => ({
            value: String(step),
            label: step === newest ? words.newest(formatCount(step)) : words.step(formatCount(step)),
          }))}
          onChange={(event) => setFromStep(Number(event.currentTarget.value))}
        />
        <div className={classes.fields}>
          <TextInput
            label={words.learningRate}
            inputMode="decimal"
            value={learningRate}
            placeholder={run.learningRate === null ? '' : String(run.learningRate)}
            error={problems.learningRate}
            onChange={(event) => setLearningRate(event.currentTarget.value)}
          />
          <TextInput
            label={words.length}
            inputMode="numeric"
            value={length}
            placeholder={run.totalSteps === null ? '' : String(run.totalSteps)}
            error={problems.length}
            onChange={(event) => setLength(event.currentTarget.value)}
          />
        </div>
        <Meaning {...resumption} />
        <Refused message={refused.form ?? (resume.errors.length === 0 ? resume.problem : null)} />
        <Group justify="flex-end" mt="xs">
          <Button variant="default" onClick={onClose}>
            {messages.cancel}
          </Button>
          <Button
            type="submit"
            loading={resume.isBusy}
            disabled={Object.keys(resumption.problems).length > 0}
            data-autofocus
          >
            {words.submit}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function Meaning({ changes, notes, problems }: Resumption) {
  return (
    <section className={classes.meaning} aria-label={words.what} aria-live="polite">
      <Text fz="xs" c="dimmed" fw={550}>
        {words.what}
      </Text>
      {[...changes, ...notes, ...Object.keys(problems)].length === 0 && <p>{words.nothing}</p>}
      {changes.map(({ name, before, after }) => (
        <p key={name}>
          {name}: <del title={words.before}>{before}</del> → <ins title={words.after}>{after}</ins>
        </p>
      ))}
      {notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
      {changes.length > 0 && (
        <Text fz="xs" c="dimmed">
          {words.recorded}
        </Text>
      )}
    </section>
  )
}
