import { Link } from 'wouter'
import { messages } from '../app/messages'
import { routes } from '../app/routes'
import { RunChangesDocument } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'

const words = messages.versions

/** How far the environment has moved on from the version that a run was started from, and where to see it. */
export function ChangesSince({ runId, version }: { runId: string; version: number }) {
  const { data } = useLoaded({ query: RunChangesDocument, variables: { id: runId } })
  const { environment, changesSince } = data?.trainingRun ?? {}
  if (!environment || !changesSince) return null
  if (changesSince.length === 0) return `, ${words.unchanged}`
  return (
    <>
      {', '}
      <Link href={routes.comparison(environment.id, version, environment.version)}>
        {words.changesSince(changesSince.length)}
      </Link>
    </>
  )
}
