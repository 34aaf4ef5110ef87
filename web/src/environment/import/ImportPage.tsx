import { Anchor, Button, Group, Paper, Stack, Text, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useState, type SyntheticEvent } from 'react'
import { Link } from 'wouter'
import { Breadcrumb } from '../../app/Breadcrumb'
import { messages } from '../../app/messages'
import { Notice, Refused } from '../../app/Notice'
import { PageTitle } from '../../app/PageTitle'
import { Pending } from '../../app/Pending'
import { routes } from '../../app/routes'
import { createIdempotencyKey } from '../../graphql/idempotencyKey'
import { ImportEnvironmentsDocument } from '../../graphql/generated/documents'
import { useAction } from '../../graphql/useAction'
import { isReady, nameToEdit, NOTHING_GIVEN, toInput, type Given, type ImportResult } from './given'
import { GivenForm } from './GivenForm'
import { ResultPanel } from './ResultPanel'

const words = messages.importing

/** Results with what they were read from: what is imported is what was shown. */
interface Preview {
  given: Given
  results: ImportResult[]
  idempotencyKey: string
}

/** Environments of configurations of other tools: first what they would become, then they are made. */
export default function ImportPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [given, setGiven] = useState(NOTHING_GIVEN)
  const [preview, setPreview] = useState<Preview | null>(null)
  const [made, setMade] = useState<ImportResult[] | null>(null)
  const [name, setName] = useState<string | null>(null)
  const look = useAction(ImportEnvironmentsDocument)
  const make = useAction(ImportEnvironmentsDocument, ['Environment', 'Dataset'])

  function change(next: Given) {
    setGiven(next)
    setPreview(null)
    setMade(null)
    setName(null)
  }

  async function showPreview() {
    const input = toInput(given)
    if (input === null) return
    setMade(null)
    setName(null)
    const payload = await look.act({ ...input, dryRun: true })
    setPreview(payload && { given, results: payload.results, idempotencyKey: createIdempotencyKey() })
  }

  async function importNow(event: SyntheticEvent) {
    event.preventDefault()
    const input = preview && toInput(preview.given)
    if (!input) return
    const payload = await make.act({
      ...input,
      dryRun: false,
      name: name === null ? null : name.trim(),
      idempotencyKey: preview.idempotencyKey,
    })
    if (payload) setMade(payload.results)
  }

  return (
    <>
      <Breadcrumb href={routes.environments} label={messages.environments.title} />
      <PageTitle title={words.title} />
      <Text c="dimmed" fz="sm" mb="md" maw={720}>
        {words.lead}
      </Text>
      <Stack maw={980}>
        <Paper withBorder p="md">
          <GivenForm given={given} isBusy={look.isBusy} onChange={change} onLook={() => void showPreview()} />
          <Refused message={look.problem} />
        </Paper>
        {look.isBusy && (
          <Paper withBorder>
            <Pending rows={4} />
          </Paper>
        )}
        {!look.isBusy && preview && (
          <>
            <Results results={made ?? preview.results} />
            {made === null && preview.results.some(isReady) && (
              <form onSubmit={(event) => void importNow(event)}>
                <Stack>
                  <NameInput results={preview.results} name={name} onChange={setName} />
                  <Refused message={make.problem} />
                  <Group>
                    <Button type="submit" loading={make.isBusy} disabled={name?.trim() === ''}>
                      {words.importNow(preview.results.filter(isReady).length)}
                    </Button>
                  </Group>
                </Stack>
              </form>
            )}
            {made && <Made results={made} onAgain={() => change(NOTHING_GIVEN)} />}
          </>
        )}
      </Stack>
    </>
  )
}

function Results({ results }: { results: ImportResult[] }) {
  const isNothing = results.every(({ format }) => format === null)
  return (
    <>
      {isNothing && (
        <Paper withBorder>
          <Notice title={words.nothing} hint={words.nothingHint} />
        </Paper>
      )}
      {results.map((result) => (
        <ResultPanel key={`${result.source} ${result.name}`} result={result} />
      ))}
    </>
  )
}

interface NameInputProps {
  results: ImportResult[]
  name: string | null
  onChange: (name: string) => void
}

/** Several environments keep the names that they bring along. */
function NameInput({ results, name, onChange }: NameInputProps) {
  const suggestion = nameToEdit(results)
  if (suggestion === null) return null
  return (
    <TextInput
      label={messages.newEnvironment.name}
      description={messages.newEnvironment.nameHint}
      maw={400}
      value={name ?? suggestion}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  )
}

function Made({ results, onAgain }: { results: ImportResult[]; onAgain: () => void }) {
  const environments = results.flatMap(({ environment }) => environment ?? [])
  return (
    <Group gap="md" role="status">
      {environments.map(({ id, name }) => (
        <Button key={id} component={Link} href={routes.environment(id)}>
          {words.open(name)}
        </Button>
      ))}
      <Anchor component="button" type="button" fz="sm" onClick={onAgain}>
        {words.again}
      </Anchor>
    </Group>
  )
}
