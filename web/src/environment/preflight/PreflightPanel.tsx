import { Badge, Button, Text } from '@mantine/core'
import { formatCount } from '../../app/format'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Refused } from '../../app/Notice'
import { Panel } from '../../app/Panel'
import type { Draft } from '../editor/useDraft'
import { BucketTable } from './BucketTable'
import { Needs } from './Needs'
import { verdictOf, type Preflight } from './preflight'
import { ProblemList } from './ProblemList'
import { usePreflight } from './usePreflight'
import classes from './PreflightPanel.module.css'

const words = messages.preflight
const COLORS = { blocked: 'red', look: 'yellow', ready: 'teal' }

interface PreflightPanelProps {
  draft: Draft
  isReadOnly: boolean
}

/** What would happen if a run of what is saved started now, and the ways out of what keeps it from that. */
export function PreflightPanel({ draft, isReadOnly }: PreflightPanelProps) {
  const { query, apply, isApplying, problem } = usePreflight(draft)
  const found = query.data?.preflight
  const hasEdits = Object.keys(draft.edits).length > 0
  return (
    <div className={classes.place}>
      <Panel
        title={words.title}
        aside={
          <>
            {found?.isEstimate && (
              <Badge variant="light" color="gray" tt="none" fw={500}>
                {words.estimate}
              </Badge>
            )}
            {found && (
              <Badge variant="light" color={COLORS[verdictOf(found)]} tt="none" fw={500} role="status">
                {words.verdicts[verdictOf(found)]}
              </Badge>
            )}
            <Button size="compact-sm" variant="default" loading={query.isBusy} onClick={query.refresh}>
              {words.again}
            </Button>
          </>
        }
      >
        <LoadedView query={query} rows={2}>
          {({ preflight }) => (
            <div className={classes.parts}>
              {hasEdits && (
                <Text fz="sm" c="dimmed">
                  {words.unsaved}
                </Text>
              )}
              <Figures preflight={preflight} />
              {preflight.isEstimate && (
                <Text fz="sm" c="dimmed">
                  {words.estimateHint}
                </Text>
              )}
              <Refused message={problem} />
              <ProblemList
                problems={preflight.problems}
                isReadOnly={isReadOnly}
                isBusy={isApplying || query.isBusy || draft.isBusy}
                onApply={(suggestion) => void apply(suggestion)}
              />
              <Needs memory={preflight.memory} disk={preflight.disk} />
              {preflight.buckets.length > 0 && <BucketTable buckets={preflight.buckets} />}
            </div>
          )}
        </LoadedView>
      </Panel>
    </div>
  )
}

function Figures({ preflight }: { preflight: Preflight }) {
  const { totalSteps, stepsPerEpoch, epochs, effectiveBatchSize, numImages } = preflight
  const { numValidationImages, numTrainableParameters } = preflight
  return (
    <dl className={classes.figures}>
      <Figure
        name={words.steps}
        value={totalSteps}
        hint={stepsPerEpoch === null ? null : words.stepsPerEpoch(formatCount(stepsPerEpoch))}
      />
      <Figure name={words.epochs} value={epochs} />
      <Figure name={words.effectiveBatch} value={effectiveBatchSize} />
      <Figure name={words.pictures} value={numImages} />
      {numValidationImages !== null && <Figure name={words.validationImages} value={numValidationImages} />}
      {numTrainableParameters !== null && <Figure name={words.parameters} value={numTrainableParameters} />}
    </dl>
  )
}

interface FigureProps {
  name: string
  value: number | null
  hint?: string | null
}

function Figure({ name, value, hint = null }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value === null ? messages.none : formatCount(value)}
        {hint !== null && <small>{hint}</small>}
      </dd>
    </div>
  )
}
