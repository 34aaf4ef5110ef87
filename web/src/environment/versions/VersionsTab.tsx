import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import { Refused } from '../../app/Notice'
import { useConfirm } from '../../app/useConfirm'
import {
  ConfigOptionsDocument,
  EnvironmentHistoryDocument,
  RestoreEnvironmentDocument,
} from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useLoaded } from '../../graphql/useLoaded'
import type { Environment } from '../editor/useDraft'
import { Comparison } from './Comparison'
import { readPair } from './pair'
import { Timeline } from './Timeline'
import classes from './VersionsTab.module.css'

const words = messages.versions
const PAGE_LENGTH = 30

interface VersionsTabProps {
  environment: Environment
  /** There are changes that are not saved. */
  hasEdits: boolean
  isReadOnly: boolean
  onRestored: () => void
}

/** Every version with who made it and what it changed; any two side by side; any one brought back. */
export function VersionsTab({ environment, hasEdits, isReadOnly, onRestored }: VersionsTabProps) {
  const { id, version: newest } = environment
  const [parameters, setParameters] = useSearchParams()
  const [first, setFirst] = useState(PAGE_LENGTH)
  const history = useLoaded({ query: EnvironmentHistoryDocument, variables: { id, first } })
  const options = useLoaded({ query: ConfigOptionsDocument, variables: { family: null } })
  const restore = useAction(RestoreEnvironmentDocument)
  const [confirm, dialog] = useConfirm()
  const pair = readPair(parameters, newest)
  const labels = new Map(options.data?.configOptions.map(({ key, label }) => [key, label]))
  const labelOf = (key: string) => labels.get(key) ?? key

  function compare(from: number, to: number) {
    setParameters(new URLSearchParams({ from: String(from), to: String(to) }), { replace: true })
  }

  function askToRestore(number: number) {
    confirm({
      title: words.restoreTitle(number),
      hint: [words.restoreHint, ...(hasEdits ? [words.restoreUnsaved] : [])].join(' '),
      yes: words.restore,
      onYes: async () => {
        if (await restore.act({ id, version: number })) {
          setParameters(new URLSearchParams(), { replace: true })
          onRestored()
        }
      },
    })
  }

  return (
    <div className={classes.columns}>
      <Panel title={words.title}>
        <Refused message={restore.problem} />
        <LoadedView query={history} rows={6}>
          {({ environment: found }) =>
            found && (
              <Timeline
                versions={found.versions.edges.map(({ node }) => node)}
                newest={found.version}
                pair={pair}
                labelOf={labelOf}
                hasMore={found.versions.pageInfo.hasNextPage}
                isBusy={history.isBusy || restore.isBusy}
                onMore={() => setFirst(first + PAGE_LENGTH)}
                onCompare={compare}
                {...(!isReadOnly && { onRestore: askToRestore })}
              />
            )
          }
        </LoadedView>
      </Panel>
      <div className={classes.comparison}>
        <Comparison
          key={id}
          environmentId={id}
          newest={newest}
          pair={pair}
          labelOf={labelOf}
          onCompare={compare}
          {...(!isReadOnly && { onRestore: askToRestore })}
        />
      </div>
      {dialog}
    </div>
  )
}
