import { Alert, List } from '@mantine/core'
import { toSentence } from '../app/format'
import { Warning } from '../app/icons'
import { messages } from '../app/messages'
import { FolderProblemsDocument } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'

const words = messages.environments

/** Folders that somebody put beside those of the environments and that became none. */
export function FolderProblems() {
  const { data } = useLoaded({ query: FolderProblemsDocument, variables: {} })
  if (!data || data.folderProblems.length === 0) return null
  return (
    <Alert color="yellow" variant="light" icon={<Warning />} title={words.folderProblems} mb="sm">
      <List fz="sm">
        {data.folderProblems.map(({ folder, problem }) => (
          <List.Item key={folder}>{toSentence(problem)}</List.Item>
        ))}
      </List>
    </Alert>
  )
}
