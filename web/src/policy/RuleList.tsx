import { Badge, Button, Group, Paper, Text } from '@mantine/core'
import { useState } from 'react'
import { DataTable } from '../app/DataTable'
import { Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice, Refused } from '../app/Notice'
import { useConfirm } from '../app/useConfirm'
import { AccessRulesDocument, DeleteAccessRuleDocument, type AccessRulesQuery } from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useLoaded } from '../graphql/useLoaded'
import { CreateRule } from './CreateRule'

const words = messages.rules
const { columns } = words
const HEADINGS = [columns.name, columns.level, columns.scope, columns.action, columns.priority, columns.permissions]
// Without it an empty list would not be asked for again when a rule has been created.
const CONTEXT = { additionalTypenames: ['AccessRule'] }
type Rule = AccessRulesQuery['accessRules'][number]

/** The rules that narrow levels to things by name. */
export function RuleList() {
  const query = useLoaded({ query: AccessRulesDocument, variables: {}, context: CONTEXT })
  const [isCreating, setIsCreating] = useState(false)
  return (
    <>
      <Group justify="space-between" mb="md" gap="sm" align="flex-start">
        <Text c="dimmed" fz="sm" maw={720}>
          {words.lead}
        </Text>
        <Button leftSection={<Plus />} disabled={!query.data} onClick={() => setIsCreating(true)}>
          {words.add}
        </Button>
      </Group>
      <Paper withBorder>
        <LoadedView query={query} rows={3}>
          {({ accessRules }) => <RuleTable rules={accessRules} />}
        </LoadedView>
      </Paper>
      {query.data && (
        <CreateRule
          isOpen={isCreating}
          onClose={() => setIsCreating(false)}
          levels={query.data.levels.map(({ name }) => name)}
          rights={query.data.permissions}
        />
      )}
    </>
  )
}

function RuleTable({ rules }: { rules: readonly Rule[] }) {
  const remove = useAction(DeleteAccessRuleDocument, ['AccessRule'])
  const [confirm, dialog] = useConfirm()
  if (rules.length === 0) return <Notice title={words.empty} hint={words.emptyHint} />
  const ask = ({ id, name, level }: Rule) =>
    confirm({
      title: words.removeTitle(name),
      hint: words.removeHint(level),
      yes: words.remove,
      color: 'red',
      onYes: () => remove.act({ id }),
    })
  return (
    <>
      <Refused message={remove.problem} />
      <DataTable headings={HEADINGS} hasActions label={words.title}>
        {rules.map((rule) => (
          <tr key={rule.id}>
            <th scope="row">{rule.name}</th>
            <td data-label={columns.level}>{rule.level}</td>
            <td data-label={columns.scope}>
              <span>
                {words.kinds[rule.kind]} <code>{rule.pattern}</code>
              </span>
            </td>
            <td data-label={columns.action}>
              <Badge variant="light" color={rule.action === 'ALLOW' ? 'teal' : 'red'} tt="none" fw={600}>
                {words.actions[rule.action]}
              </Badge>
            </td>
            <td data-label={columns.priority}>{rule.priority}</td>
            <td data-label={columns.permissions}>
              {rule.permissions.length === 0 ? (
                words.all
              ) : (
                <Text fz="sm" maw={260}>
                  {rule.permissions.join(', ')}
                </Text>
              )}
            </td>
            <td data-actions>
              <Button size="xs" variant="subtle" color="red" onClick={() => ask(rule)}>
                {words.remove}
              </Button>
            </td>
          </tr>
        ))}
      </DataTable>
      {dialog}
    </>
  )
}
