import { Loader, MantineProvider } from '@mantine/core'
import type { Client } from '@urql/core'
import { useEffect, useState } from 'react'
import { Provider as GraphqlProvider, useQuery } from 'urql'
import { isUnauthenticated } from '../graphql/errors'
import { SetupDocument, ViewerDocument, type ViewerPartsFragment } from '../graphql/generated/documents'
import { FirstStart } from '../user/FirstStart'
import { SignedOut } from '../user/SignedOut'
import { ViewerProvider } from '../user/viewer'
import { messages } from './messages'
import { FullPage } from './FullPage'
import { Failure } from './Notice'
import { SessionProvider, useNewSession, useSession } from './session'
import { styleNonce } from './styleNonce'
import { Shell } from './Shell'
import { resolveVariables, theme } from './theme'

const ASK_AGAIN_EVERY_MS = 3_000

export function App() {
  const session = useNewSession()
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolveVariables}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
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
  const { client, restart } = useSession()
  const [setup, askSetup] = useQuery({ query: SetupDocument })
  const [viewer, askViewer] = useQuery({ query: ViewerDocument, pause: setup.data?.setup.required !== false })
  const error = setup.error ?? viewer.error
  const isRefused = isUnauthenticated(viewer.error?.graphQLErrors)
  const [wasRefused, setWasRefused] = useState(false)
  if (isRefused && !wasRefused) setWasRefused(true)
  if (viewer.data && wasRefused) setWasRefused(false)
  // Asking again who is signed in takes neither the form nor the page away from somebody who is typing.
  const isSignedOut = isRefused || (wasRefused && viewer.fetching)
  const [seen, setSeen] = useState<{ client: Client; viewer: ViewerPartsFragment }>()
  if (viewer.data && viewer.data.viewer !== seen?.viewer) setSeen({ client, viewer: viewer.data.viewer })
  const shown = viewer.data?.viewer ?? (seen?.client === client ? seen.viewer : undefined)
  const isStuck = error !== undefined && !isSignedOut

  useEffect(() => {
    const ask = () => {
      askSetup({ requestPolicy: 'network-only' })
      askViewer({ requestPolicy: 'network-only' })
    }
    const askWhenLookedAt = () => {
      if (document.visibilityState === 'visible' && shown !== undefined) askViewer({ requestPolicy: 'network-only' })
    }
    // Rights may have changed while nobody looked.
    document.addEventListener('visibilitychange', askWhenLookedAt)
    const timer = isStuck ? setInterval(ask, ASK_AGAIN_EVERY_MS) : undefined
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', askWhenLookedAt)
    }
  }, [isStuck, askSetup, askViewer, shown])

  if (setup.data?.setup.required)
    return <FirstStart isTokenRequired={setup.data.setup.tokenRequired} onDone={restart} />
  if (isSignedOut && setup.data) return <SignedOut setup={setup.data.setup} onDone={restart} />
  if (shown)
    return (
      <ViewerProvider value={shown}>
        <Shell />
      </ViewerProvider>
    )
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
