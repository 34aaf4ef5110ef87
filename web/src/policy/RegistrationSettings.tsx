import { Alert, Button, Group, Paper, Stack, Switch, TagsInput, Text } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { Warning } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import {
  RegistrationDocument,
  UpdateRegistrationDocument,
  type RegistrationPartsFragment,
  type RegistrationQuery,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { LevelSelect } from '../user/LevelSelect'

const words = messages.registrationSettings

/** Who may make an account on their own. */
export function RegistrationSettings() {
  const query = useLoaded({ query: RegistrationDocument, variables: {} })
  return (
    <Paper withBorder maw={640}>
      <LoadedView query={query}>{(data) => <RegistrationForm {...data} />}</LoadedView>
    </Paper>
  )
}

function RegistrationForm({ registration, levels, permissions }: RegistrationQuery) {
  const [edit, setEdit] = useState<Partial<RegistrationPartsFragment>>({})
  const [isSaved, setIsSaved] = useState(false)
  const update = useAction(UpdateRegistrationDocument)
  const refusal = sortRefusals(update.errors, ['emailDomains', 'defaultLevels'])
  const form = { ...registration, ...edit }
  const isForAnybody = form.open && !form.approval && form.emailDomains.length === 0

  function change(changed: Partial<RegistrationPartsFragment>) {
    setEdit({ ...edit, ...changed })
    setIsSaved(false)
  }

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if ((await update.act(edit)) === null) return
    setEdit({})
    setIsSaved(true)
  }

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack p="md" gap="lg">
        <Switch
          label={words.open}
          description={words.openHint}
          checked={form.open}
          onChange={(event) => change({ open: event.currentTarget.checked })}
        />
        <Switch
          label={words.approval}
          description={words.approvalHint}
          checked={form.approval}
          onChange={(event) => change({ approval: event.currentTarget.checked })}
        />
        <TagsInput
          label={words.domains}
          description={words.domainsHint}
          value={form.emailDomains}
          onChange={(emailDomains) => change({ emailDomains })}
          error={refusal.fields.emailDomains}
          acceptValueOnBlur
        />
        <LevelSelect
          label={words.levels}
          levels={levels}
          allPermissions={permissions.map(({ name }) => name)}
          value={form.defaultLevels}
          onChange={(defaultLevels) => change({ defaultLevels })}
          error={form.defaultLevels.length === 0 ? messages.users.pickLevels : refusal.fields.defaultLevels}
        />
        {isForAnybody && (
          <Alert color="yellow" variant="light" icon={<Warning />}>
            {words.warning}
          </Alert>
        )}
        <Refused message={update.errors.length > 0 ? refusal.form : update.problem} />
        <Group>
          <Button
            type="submit"
            loading={update.isBusy}
            disabled={Object.keys(edit).length === 0 || form.defaultLevels.length === 0}
          >
            {words.save}
          </Button>
          <Text fz="sm" c="teal" role="status">
            {isSaved && words.saved}
          </Text>
        </Group>
      </Stack>
    </form>
  )
}
