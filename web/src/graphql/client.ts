import { Client, cacheExchange, fetchExchange, mapExchange } from '@urql/core'
import { isUnauthenticated } from './errors'
import { ViewerDocument } from './generated/documents'

/**
 * The client for queries and mutations. The session is a cookie that scripts cannot read; the header tells the service
 * that the request was made by this page and not by a form on another site.
 */
export function createGraphqlClient(onSignedOut: () => void): Client {
  return new Client({
    url: '/graphql',
    preferGetMethod: false,
    fetchOptions: { credentials: 'same-origin', headers: { 'X-Requested-With': 'simpletuner' } },
    exchanges: [
      mapExchange({
        onError(error, operation) {
          // The viewer query is how the page finds out; any other one means that a session has ended.
          if (isUnauthenticated(error.graphQLErrors) && !asksForViewer(operation.query)) onSignedOut()
        },
      }),
      cacheExchange,
      fetchExchange,
    ],
  })
}

function asksForViewer(query: { definitions?: readonly unknown[] }): boolean {
  return operationName(query) === operationName(ViewerDocument)
}

function operationName(query: { definitions?: readonly unknown[] }): string | undefined {
  const first = query.definitions?.[0] as { name?: { value: string } } | undefined
  return first?.name?.value
}
