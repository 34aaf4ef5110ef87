import { NativeSelect } from '@mantine/core'
import { messages } from '../../app/messages'
import { DatasetUsesDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'

const words = messages.pictures
const MOST = 100

interface JudgeSelectProps {
  datasetId: string
  environmentId: string | null
  onChange: (environmentId: string | null) => void
}

/** What training makes of pictures depends on who trains: one of the environments with this dataset, or the dataset by itself. */
export function JudgeSelect({ datasetId, environmentId, onChange }: JudgeSelectProps) {
  const { data } = useLoaded({ query: DatasetUsesDocument, variables: { first: MOST } })
  const all = data?.environments.edges.map(({ node }) => node) ?? []
  const using = all.filter(({ id, datasets }) => id === environmentId || datasets.some((each) => each.id === datasetId))
  if (using.length === 0) return null
  return (
    <NativeSelect
      size="xs"
      aria-label={words.judge}
      value={environmentId ?? ''}
      data={[{ value: '', label: words.datasetAlone }, ...using.map(({ id, name }) => ({ value: id, label: name }))]}
      onChange={(event) => onChange(event.currentTarget.value === '' ? null : event.currentTarget.value)}
    />
  )
}
