import { Progress } from '@mantine/core'
import { clampShare, formatPercent, formatSteps } from '../app/format'
import { messages } from '../app/messages'
import type { RunState } from '../graphql/generated/documents'
import { hasEnded, isActive, STATE_COLORS } from './states'
import classes from './RunProgress.module.css'

interface RunProgressProps {
  state: RunState
  step: number
  totalSteps: number | null
  progress: number
  size?: 'sm' | 'md'
}

/** How far a run is: a bar, the steps and the share. */
export function RunProgress({ state, step, totalSteps, progress, size = 'sm' }: RunProgressProps) {
  const share = clampShare(progress)
  const isPreparing = isActive(state) && step === 0
  return (
    <div className={classes.progress}>
      <div className={classes.words}>
        <span>{formatSteps(step, totalSteps)}</span>
        <span>{formatPercent(share)}</span>
      </div>
      <Progress.Root size={size} aria-hidden={size === 'sm'}>
        <Progress.Section
          value={share * 100}
          color={hasEnded(state) ? STATE_COLORS[state] : 'brand'}
          aria-label={messages.run.progressLabel}
          animated={isPreparing}
        />
      </Progress.Root>
    </div>
  )
}
