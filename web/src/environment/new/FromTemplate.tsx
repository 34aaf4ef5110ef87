import { Radio, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { EnvironmentsDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { NameAndCreate } from './NameAndCreate'

const words = messages.newEnvironment
const MOST_TEMPLATES = 100
// Without it an empty list would not be asked for again when an environment has become a template.
const CONTEXT = { additionalTypenames: ['Environment'] }

/** One of the environments that are meant to begin others from. */
export function FromTemplate() {
  const query = useLoaded({
    query: EnvironmentsDocument,
    variables: { first: MOST_TEMPLATES, filter: { templates: true } },
    context: CONTEXT,
  })
  const [chosen, setChosen] = useState<string | null>(null)
  return (
    <LoadedView query={query} rows={2}>
      {({ environments }) => {
        const templates = environments.edges.map(({ node }) => node)
        const template = templates.find(({ id }) => id === chosen) ?? templates[0]
        if (template === undefined) return <Text c="dimmed">{words.noTemplates}</Text>
        return (
          <NameAndCreate source={{ copyOf: template.id }} suggestion={words.copyName(template.name)}>
            <Radio.Group label={words.tabs.template} value={template.id} onChange={setChosen}>
              <Stack gap="sm" mt="xs">
                {templates.map(({ id, name, family, modelType }) => (
                  <Radio key={id} value={id} label={name} description={`${family} · ${modelType}`} />
                ))}
              </Stack>
            </Radio.Group>
          </NameAndCreate>
        )
      }}
    </LoadedView>
  )
}
