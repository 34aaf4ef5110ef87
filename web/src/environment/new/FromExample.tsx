import { Radio, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { ExamplesDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { NameAndCreate } from './NameAndCreate'

const words = messages.examples

/** One of the ready environments, with its datasets. */
export function FromExample() {
  const query = useLoaded({ query: ExamplesDocument })
  const [chosen, setChosen] = useState<string | null>(null)
  return (
    <LoadedView query={query} rows={3}>
      {({ examples }) => {
        const key = chosen ?? examples[0]?.key
        if (key === undefined) return <Text c="dimmed">{words.empty}</Text>
        return (
          <NameAndCreate source={{ example: key }} suggestion={key}>
            <Radio.Group label={words.pick} value={key} onChange={setChosen}>
              <Stack gap="sm" mt="xs">
                {examples.map((example) => (
                  <Radio key={example.key} value={example.key} label={example.name} description={example.description} />
                ))}
              </Stack>
            </Radio.Group>
          </NameAndCreate>
        )
      }}
    </LoadedView>
  )
}
