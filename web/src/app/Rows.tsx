import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { Button, Group } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { describeFailure } from '../graphql/errors'
import { useLoaded } from '../graphql/useLoaded'
import { messages } from './messages'
import { Refused } from './Notice'

interface Connection<Node> {
  edges: readonly { node: Node }[]
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
}

interface Paged {
  after?: string | null | undefined
}

interface RowsProps<Data, Variables extends Paged, Node> {
  connection: Connection<Node>
  document: TypedDocumentNode<Data, Variables>
  variables: Variables
  connectionOf: (data: Data) => Connection<Node>
  numColumns: number
  row: (node: Node) => ReactNode
}

/** The rows of a page of a list, and those of the pages behind it once they are asked for; each page renews itself. */
export function Rows<Data, Variables extends Paged, Node>(props: RowsProps<Data, Variables, Node>) {
  const { connection, row } = props
  return (
    <>
      {connection.edges.map(({ node }) => row(node))}
      {connection.pageInfo.hasNextPage && <NextRows {...props} />}
    </>
  )
}

function NextRows<Data, Variables extends Paged, Node>(props: RowsProps<Data, Variables, Node>) {
  const { connection, document, variables, connectionOf, numColumns } = props
  const [isAsked, setIsAsked] = useState(false)
  const next = useLoaded<Data, Variables>({
    query: document,
    variables: { ...variables, after: connection.pageInfo.endCursor },
    pause: !isAsked,
  })
  if (isAsked && next.data !== undefined) return <Rows {...props} connection={connectionOf(next.data)} />
  return (
    <tr>
      <td colSpan={numColumns}>
        <Refused message={next.error ? describeFailure(next.error) : null} />
        <Group justify="center">
          <Button
            variant="subtle"
            size="sm"
            loading={isAsked && next.isBusy}
            onClick={() => (isAsked ? next.refresh() : setIsAsked(true))}
          >
            {messages.showMore}
          </Button>
        </Group>
      </td>
    </tr>
  )
}
