import { Button, Group, Paper, Text, VisuallyHidden } from '@mantine/core'
import { Fragment, useState } from 'react'
import { Check, Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { LevelsDocument, type LevelPartsFragment, type LevelsQuery } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import { LevelDrawer, type LevelDraft } from './LevelDrawer'
import { expand, groupRights } from './permissions'
import classes from './LevelMatrix.module.css'

const words = messages.access
// Without it a deleted level would stay.
const CONTEXT = { additionalTypenames: ['Level'] }

/** Permissions against levels; one's own levels can be edited, the built-in ones cannot. */
export function LevelMatrix() {
  const query = useLoaded({ query: LevelsDocument, variables: {}, context: CONTEXT })
  const [draft, setDraft] = useState<LevelDraft | null>(null)
  return (
    <>
      <Group justify="space-between" mb="md" gap="sm">
        <Text c="dimmed" fz="sm" maw={640}>
          {words.levelsLead}
        </Text>
        <Button leftSection={<Plus />} onClick={() => setDraft({ kind: 'new' })}>
          {words.newLevel}
        </Button>
      </Group>
      <Paper withBorder>
        <LoadedView query={query} rows={10}>
          {(data) => <Matrix {...data} onEdit={(level) => setDraft({ kind: 'change', level })} />}
        </LoadedView>
      </Paper>
      <LevelDrawer draft={draft} rights={query.data?.permissions ?? []} onClose={() => setDraft(null)} />
    </>
  )
}

interface MatrixProps extends LevelsQuery {
  onEdit: (level: LevelPartsFragment) => void
}

function Matrix({ levels, permissions, onEdit }: MatrixProps) {
  const names = permissions.map(({ name }) => name)
  const allowed = new Map(levels.map((level) => [level.id, expand(level.permissions, names)]))
  return (
    <div className={classes.scroller} tabIndex={0} role="group" aria-label={words.tabs.levels}>
      <table className={classes.matrix} aria-label={words.tabs.levels}>
        <thead>
          <tr>
            <th scope="col">{words.permission}</th>
            {levels.map((level) => (
              <th key={level.id} scope="col" title={level.description} className={classes.level}>
                {level.builtIn ? (
                  <>
                    {level.name}
                    <span className={classes.kind}>{words.builtIn}</span>
                  </>
                ) : (
                  <>
                    {level.name}
                    <Button
                      variant="subtle"
                      size="compact-xs"
                      aria-label={words.editLevel(level.name)}
                      onClick={() => onEdit(level)}
                    >
                      {messages.users.edit}
                    </Button>
                  </>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {groupRights(permissions).map(({ key, rights }) => (
            <Fragment key={key}>
              <tr className={classes.group}>
                <th scope="colgroup" colSpan={levels.length + 1}>
                  <span>{words.groups[key] ?? key}</span>
                </th>
              </tr>
              {rights.map(({ name, description }) => (
                <tr key={name}>
                  <th scope="row">
                    <span className={classes.description}>{description}</span>
                    <code>{name}</code>
                  </th>
                  {levels.map((level) => (
                    <td key={level.id}>
                      {allowed.get(level.id)?.has(name) ? (
                        <span className={classes.yes}>
                          <Check size={18} />
                          <VisuallyHidden>{words.allowed}</VisuallyHidden>
                        </span>
                      ) : (
                        <VisuallyHidden>{words.notAllowed}</VisuallyHidden>
                      )}
                    </td>
                  ))}
                </tr>
              ))}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  )
}
