import { ActionIcon, Button, Group, Menu, Modal, Stack, TextInput } from '@mantine/core'
import { useState, type SyntheticEvent } from 'react'
import { Link, useLocation } from 'wouter'
import { Dots } from '../app/icons'
import { messages } from '../app/messages'
import { Refused } from '../app/Notice'
import { routes } from '../app/routes'
import { useConfirm } from '../app/useConfirm'
import { sortRefusals } from '../graphql/errors'
import {
  DeleteEnvironmentDocument,
  RenameEnvironmentDocument,
  SetEnvironmentTemplateDocument,
} from '../graphql/generated/documents'
import { useAction } from '../graphql/useAction'
import { useMay } from '../user/viewer'

const words = messages.environments

interface Named {
  id: string
  name: string
}

interface MenuEnvironment extends Named {
  isTemplate: boolean
  downloadUrl: string
  zipUrl: string
}

/** What else can be done with an environment. */
export function EnvironmentMenu({ environment }: { environment: MenuEnvironment }) {
  const { id, name, isTemplate, downloadUrl, zipUrl } = environment
  const may = useMay()
  const [, navigate] = useLocation()
  const [isRenaming, setIsRenaming] = useState(false)
  const [confirm, dialog] = useConfirm()
  const remove = useAction(DeleteEnvironmentDocument, ['Environment'])
  const template = useAction(SetEnvironmentTemplateDocument, ['Environment'])
  const mayEdit = may('config.edit.own', 'config.edit.all')
  const mayDelete = may('config.delete.own', 'config.delete.all')

  async function removeNow() {
    if (await remove.act({ id })) navigate(routes.environments)
  }

  return (
    <>
      <Refused message={remove.problem ?? template.problem} />
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label={words.more} title={words.more}>
            <Dots />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {mayEdit && <Menu.Item onClick={() => setIsRenaming(true)}>{words.rename}</Menu.Item>}
          {may('config.create') && (
            <Menu.Item component={Link} href={routes.copyEnvironment(id)}>
              {words.duplicate}
            </Menu.Item>
          )}
          {mayEdit && (
            <Menu.Item onClick={() => void template.act({ id, isTemplate: !isTemplate })}>
              {isTemplate ? words.noTemplate : words.makeTemplate}
            </Menu.Item>
          )}
          <Menu.Item component="a" href={downloadUrl} download>
            {words.downloadJson}
          </Menu.Item>
          <Menu.Item component="a" href={zipUrl} download>
            {words.downloadZip}
          </Menu.Item>
          {mayDelete && (
            <Menu.Item
              color="red"
              onClick={() =>
                confirm({
                  title: words.removeTitle(name),
                  hint: words.removeHint,
                  yes: words.removeYes,
                  color: 'red',
                  onYes: removeNow,
                })
              }
            >
              {words.remove}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Modal
        opened={isRenaming}
        onClose={() => setIsRenaming(false)}
        title={words.renameTitle}
        closeButtonProps={{ 'aria-label': messages.close }}
      >
        <RenameForm environment={environment} onDone={() => setIsRenaming(false)} />
      </Modal>
      {dialog}
    </>
  )
}

function RenameForm({ environment, onDone }: { environment: Named; onDone: () => void }) {
  const [name, setName] = useState(environment.name)
  const rename = useAction(RenameEnvironmentDocument)
  const refusal = sortRefusals(rename.errors, ['name'])

  async function submit(event: SyntheticEvent) {
    event.preventDefault()
    if (await rename.act({ id: environment.id, name: name.trim() })) onDone()
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <TextInput
          label={words.name}
          value={name}
          data-autofocus
          error={refusal.fields.name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Refused message={rename.errors.length > 0 ? refusal.form : rename.problem} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            {messages.cancel}
          </Button>
          <Button type="submit" loading={rename.isBusy} disabled={name.trim() === ''}>
            {words.rename}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
