import { useEffect, useEffectEvent, useRef } from 'react'
import { PreflightDocument, UpdateDatasetDocument, UpdateEnvironmentDocument } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { useLoaded } from '../../graphql/useLoaded'
import type { Draft } from '../editor/useDraft'
import { keysOf, toInput, type Suggestion } from './preflight'

/** What the service says of a start now; asked again whenever there is another version. */
export function usePreflight(draft: Draft) {
  const { id, version } = draft.environment
  const query = useLoaded({ query: PreflightDocument, variables: { environmentId: id } })
  const environments = useAction(UpdateEnvironmentDocument)
  const datasets = useAction(UpdateDatasetDocument)
  const askAgain = useEffectEvent(query.refresh)
  const judged = useRef(version)
  useEffect(() => {
    if (judged.current === version) return
    judged.current = version
    askAgain()
  }, [version])

  async function apply(suggestion: Suggestion) {
    if (suggestion.target === 'dataset') {
      await datasets.act(toInput(suggestion))
      query.refresh()
      return
    }
    const payload = await environments.act(toInput(suggestion))
    if (payload?.environment) draft.adopt(payload.environment, keysOf(suggestion))
    else query.refresh()
  }

  return {
    query,
    apply,
    isApplying: environments.isBusy || datasets.isBusy,
    problem: environments.problem ?? datasets.problem,
  }
}
