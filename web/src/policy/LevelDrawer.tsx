import { Button, Checkbox, Drawer, Group, Stack, Text, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { useConfirm } from '../app/useConfirm'
import { sortRefusals } from '../graphql/errors'
import {
  CreateLevelDocument,
  DeleteLevelDocument,
  UpdateLevelDocument,
  type LevelPartsFragment,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useViewer } from '../user/viewer'
import { expand, groupRights, keepPatterns, type Right } from './permissions'

const words = messages.access
export type LevelDraft = { kind: 'new' } | { kind: 'change'; level: LevelPartsFragment }

interface LevelDrawerProps {
  draft: LevelDraft | null
  rights: readonly Right[]
  onClose: () => void
}

/** A level of one's own: what it is for and what it allows. */
export function LevelDrawer({ draft, rights, onClose }: LevelDrawerProps) {
  return (
    <Drawer
      opened={draft !== null}
      onClose={onClose}
      position="right"
      size="lg"
      title={draft?.kind === 'change' ? words.editLevel(draft.level.name) : words.newLevel}
      closeButtonProps={{ 'aria-label': messages.close }}
    >
      {draft && <LevelForm level={draft.kind === 'change' ? draft.level : null} rights={rights} onDone={onClose} />}
    </Drawer>
  )
}

interface LevelFormProps {
  level: LevelPartsFragment | null
  rights: readonly Right[]
  onDone: () => void
}

function LevelForm({ level, rights, onDone }: LevelFormProps) {
  const all = rights.map((right) => right.name)
  const [name, setName] = useState('')
  const [description, setDescription] = useState(level?.description ?? '')
  const [chosen, setChosen] = useState<ReadonlySet<string>>(() => expand(level?.permissions ?? [], all))
  const create = useAction(CreateLevelDocument)
  const update = useAction(UpdateLevelDocument)
  const remove = useAction(DeleteLevelDocument, ['Level', 'AccessRule'])
  const action = level ? update : create
  const refusal = sortRefusals(action.errors, ['name', 'description', 'permissions'])

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const permissions = keepPatterns(chosen, level?.permissions ?? [], all)
    const payload = level
      ? await update.act({ id: level.id, description, permissions })
      : await create.act({ name: name.trim(), description, permissions })
    if (payload) onDone()
  }

  async function deleteLevel(id: string) {
    if (await remove.act({ id })) onDone()
  }

  function toggle(permission: string, isChosen: boolean) {
    const next = new Set(chosen)
    if (isChosen) next.add(permission)
    else next.delete(permission)
    setChosen(next)
  }

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        {!level && (
          <TextInput
            label={words.name}
            description={words.nameHint}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={refusal.fields.name}
            data-autofocus
          />
        )}
        <TextInput
          label={words.description}
          description={words.descriptionHint}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          error={refusal.fields.description}
        />
        <RightChecks rights={rights} chosen={chosen} onToggle={toggle} />
        <Refused message={refusal.fields.permissions ?? (action.errors.length > 0 ? refusal.form : action.problem)} />
        <Refused message={remove.problem} />
        <Group justify="space-between">
          <Button type="submit" loading={action.isBusy} disabled={!level && name.trim() === ''}>
            {level ? words.save : words.create}
          </Button>
          {level && <DeleteLevel name={level.name} onDelete={() => deleteLevel(level.id)} />}
        </Group>
      </Stack>
    </form>
  )
}

interface RightChecksProps {
  rights: readonly Right[]
  chosen: ReadonlySet<string>
  onToggle: (permission: string, isChosen: boolean) => void
}

function RightChecks({ rights, chosen, onToggle }: RightChecksProps) {
  const viewer = useViewer()
  return groupRights(rights).map(({ key, rights: members }) => (
    <Stack key={key} gap="xs" component="fieldset" m={0} p={0} bd={0}>
      <Text component="legend" fz="sm" fw={600} mb={6} p={0}>
        {words.groups[key] ?? key}
      </Text>
      {members.map(({ name, description }) => {
        const isBeyond = !viewer.permissions.includes(name)
        return (
          <Checkbox
            key={name}
            size="sm"
            label={description}
            description={isBeyond ? words.beyond : name}
            checked={chosen.has(name)}
            disabled={isBeyond}
            onChange={(event) => onToggle(name, event.currentTarget.checked)}
          />
        )
      })}
    </Stack>
  ))
}

interface DeleteLevelProps {
  name: string
  onDelete: () => Promise<void>
}

function DeleteLevel({ name, onDelete }: DeleteLevelProps) {
  const [confirm, dialog] = useConfirm()
  const ask = () =>
    confirm({
      title: words.removeTitle(name),
      hint: words.removeHint,
      yes: words.remove,
      color: 'red',
      onYes: onDelete,
    })
  return (
    <>
      <Button variant="subtle" color="red" onClick={ask}>
        {words.remove}
      </Button>
      {dialog}
    </>
  )
}
