import { Select } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useState } from 'react'
import { useSearchParams } from 'wouter'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { withParameter } from '../../app/searchParameters'
import { EnvironmentsDocument, EnvironmentVersionDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { NameAndCreate } from './NameAndCreate'

const words = messages.newEnvironment
const MOST_CHOICES = 50
const SEARCH_AFTER_MS = 200

/** Another environment; the address says which, so that its own page can lead here. */
export function FromCopy() {
  const [parameters, setParameters] = useSearchParams()
  const [typed, setTyped] = useState('')
  const [search] = useDebouncedValue(typed, SEARCH_AFTER_MS)
  const chosenId = parameters.get('of')
  const chosen = useLoaded({
    query: EnvironmentVersionDocument,
    variables: { id: chosenId ?? '' },
    pause: chosenId === null,
  })
  const source = chosenId === null ? null : (chosen.data?.environment ?? null)
  // The text of what was chosen is no search.
  const isSearch = search !== '' && search !== source?.name
  const query = useLoaded({
    query: EnvironmentsDocument,
    variables: { first: MOST_CHOICES, filter: isSearch ? { search } : null },
  })
  return (
    <LoadedView query={query} rows={2}>
      {({ environments }) => {
        const listed = environments.edges.map(({ node }) => ({ value: node.id, label: node.name }))
        const isListed = source === null || listed.some(({ value }) => value === source.id)
        return (
          <NameAndCreate
            key={source?.id}
            source={source && { copyOf: source.id }}
            suggestion={source === null ? '' : words.copyName(source.name)}
          >
            <Select
              label={words.copyOf}
              placeholder={words.pickCopy}
              data={isListed ? listed : [{ value: source.id, label: source.name }, ...listed]}
              value={source?.id ?? null}
              searchable
              maw={400}
              nothingFoundMessage={words.noMatch}
              onSearchChange={setTyped}
              onChange={(id) => setParameters((before) => withParameter(before, 'of', id), { replace: true })}
            />
          </NameAndCreate>
        )
      }}
    </LoadedView>
  )
}
