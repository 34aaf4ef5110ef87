import { Loader, MantineProvider } from '@mantine/core'
import { useEffect, useState } from 'react'
import { Provider as GraphqlProvider, useQuery } from 'urql'
import { isUnauthenticated } from '../graphql/errors'
import { SetupDocument, ViewerDocument } from '../graphql/generated/documents'
import { FirstStart } from '../user/FirstStart'
import { SignIn } from '../user/SignIn'
import { messages } from './messages'
import { FullPage } from './FullPage'
import { Failure } from './Notice'
import { SessionProvider, useNewSession, useSession } from './session'
import { Shell } from './Shell'
import { resolveVariables, theme } from './theme'

const ASK_AGAIN_EVERY_MS = 3_000

export function App() {
  const session = useNewSession()
  return (
    <MantineProvider theme={theme} cssVariablesResolver={resolveVariables} defaultColorScheme="auto">
      <SessionProvider value={session}>
        <GraphqlProvider value={session.client}>
          <Gate />
        </GraphqlProvider>
      </SessionProvider>
    </MantineProvider>
  )
}

/** First start, sign in or the product itself, by what the service says. */
function Gate() {
  const { restart } = useSession()
  const [setup, askSetup] = useQuery({ query: SetupDocument })
  const [viewer, askViewer] = useQuery({ query: ViewerDocument, pause: setup.data?.setup.required !== false })
  const error = setup.error ?? viewer.error
  const isRefused = isUnauthenticated(viewer.error?.graphQLErrors)
  const [wasRefused, setWasRefused] = useState(false)
  if (isRefused && !wasRefused) setWasRefused(true)
  // Asking again who is signed in must not take the form away from somebody who is typing.
  const isSignedOut = isRefused || (wasRefused && viewer.fetching)
  const isStuck = error !== undefined && !isSignedOut

  useEffect(() => {
    if (!isStuck) return
    const timer = setInterval(() => {
      askSetup({ requestPolicy: 'network-only' })
      askViewer({ requestPolicy: 'network-only' })
    }, ASK_AGAIN_EVERY_MS)
    return () => clearInterval(timer)
  }, [isStuck, askSetup, askViewer])

  if (setup.data?.setup.required)
    return <FirstStart isTokenRequired={setup.data.setup.tokenRequired} onDone={restart} />
  if (isSignedOut) return <SignIn onDone={restart} />
  if (viewer.data) return <Shell viewer={viewer.data.viewer} />
  if (error)
    return (
      <FullPage>
        <Failure error={error} onRetry={restart} />
      </FullPage>
    )
  return (
    <FullPage>
      <Loader aria-label={messages.product} />
    </FullPage>
  )
}
