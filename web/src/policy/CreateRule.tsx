import {
  Button,
  Group,
  Modal,
  NativeSelect,
  NumberInput,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
} from '@mantine/core'
import { useId, useState, type SyntheticEvent } from 'react'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { sortRefusals } from '../graphql/errors'
import { CreateAccessRuleDocument, type ResourceKind, type RuleAction } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { RightSelect } from '../user/RightSelect'
import type { Right } from './permissions'

const words = messages.rules
const ADMIN = 'admin'
const KINDS: ResourceKind[] = ['ENVIRONMENT', 'DATASET', 'RUN', 'PATH']
const ACTIONS: RuleAction[] = ['ALLOW', 'DENY']

interface CreateRuleProps {
  isOpen: boolean
  onClose: () => void
  levels: readonly string[]
  rights: readonly Right[]
}

export function CreateRule({ isOpen, onClose, ...choices }: CreateRuleProps) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={words.add} closeButtonProps={{ 'aria-label': messages.close }}>
      <RuleForm {...choices} onCreated={onClose} />
    </Modal>
  )
}

interface RuleFormProps extends Pick<CreateRuleProps, 'levels' | 'rights'> {
  onCreated: () => void
}

function RuleForm({ levels, rights, onCreated }: RuleFormProps) {
  const narrowable = levels.filter((level) => level !== ADMIN)
  const [name, setName] = useState('')
  const [level, setLevel] = useState(narrowable[0] ?? '')
  const [kind, setKind] = useState<ResourceKind>('ENVIRONMENT')
  const [pattern, setPattern] = useState('*')
  const [action, setAction] = useState<RuleAction>('ALLOW')
  const [priority, setPriority] = useState<string | number>(0)
  const [permissions, setPermissions] = useState<string[]>([])
  const create = useAction(CreateAccessRuleDocument)
  const refusal = sortRefusals(create.errors, ['name', 'level', 'pattern', 'priority', 'permissions'])
  const actionId = useId()

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    const input = { name: name.trim(), level, kind, pattern, action, priority: Number(priority), permissions }
    if (await create.act(input)) onCreated()
  }

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <TextInput
          label={words.name}
          description={words.nameHint}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={refusal.fields.name}
          data-autofocus
        />
        <Group grow align="flex-start">
          <NativeSelect
            label={words.level}
            data={narrowable}
            value={level}
            onChange={(event) => setLevel(event.currentTarget.value)}
            error={refusal.fields.level}
          />
          <NativeSelect
            label={words.kind}
            data={KINDS.map((value) => ({ value, label: words.kinds[value] }))}
            value={kind}
            onChange={(event) => setKind(KINDS.find((each) => each === event.currentTarget.value) ?? kind)}
          />
        </Group>
        <TextInput
          label={words.pattern}
          description={words.patternHint}
          value={pattern}
          onChange={(event) => setPattern(event.currentTarget.value)}
          error={refusal.fields.pattern}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        />
        <div>
          <Text id={actionId} fz="sm" fw={500} mb={4}>
            {words.action}
          </Text>
          <SegmentedControl
            aria-labelledby={actionId}
            fullWidth
            data={ACTIONS.map((value) => ({ value, label: words.actions[value] }))}
            value={action}
            onChange={setAction}
          />
        </div>
        <NumberInput
          label={words.priority}
          description={words.priorityHint}
          min={0}
          max={1000}
          value={priority}
          onChange={setPriority}
          error={refusal.fields.priority}
        />
        <RightSelect
          label={words.permissions}
          description={words.permissionsHint}
          rights={rights}
          value={permissions}
          onChange={setPermissions}
          error={refusal.fields.permissions}
        />
        <Refused message={create.errors.length > 0 ? refusal.form : create.problem} />
        <Group justify="flex-end">
          <Button type="submit" loading={create.isBusy} disabled={name.trim() === '' || pattern === ''}>
            {words.create}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
