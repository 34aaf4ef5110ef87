import { Button } from '@mantine/core'
import { toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { bySeverity, suggestionsOf, type Problem, type Suggestion } from './preflight'
import classes from './PreflightPanel.module.css'

const words = messages.preflight

interface ProblemListProps {
  problems: readonly Problem[]
  isReadOnly: boolean
  isBusy: boolean
  onApply: (suggestion: Suggestion) => void
}

/** The problems by severity, each with its ways out as buttons. */
export function ProblemList({ problems, isReadOnly, isBusy, onApply }: ProblemListProps) {
  return bySeverity(problems).map((group) => (
    <section key={group.severity} className={classes.group} data-severity={group.severity}>
      <h3>{words.severities[group.severity]}</h3>
      <ul>
        {group.problems.map((problem) => (
          <li key={`${problem.code} ${problem.message}`}>
            {toSentence(problem.message)}
            {!isReadOnly && problem.suggestions.length > 0 && (
              <div className={classes.ways}>
                {suggestionsOf(problem).map((suggestion) => (
                  <Button
                    key={suggestion.label}
                    size="compact-sm"
                    variant="light"
                    disabled={isBusy}
                    onClick={() => onApply(suggestion)}
                  >
                    {suggestion.label}
                  </Button>
                ))}
              </div>
            )}
          </li>
        ))}
      </ul>
    </section>
  ))
}
