import type { Client } from '@urql/core'
import { toSentence } from '../../app/format'
import { messages } from '../../app/messages'
import { describeFailure, sortRefusals } from '../../graphql/errors'
import {
  BeginUploadDocument,
  CreateFolderDocument,
  UploadDocument,
  type ErrorPartsFragment,
} from '../../graphql/generated/documents'
import { createIdempotencyKey } from '../../graphql/idempotencyKey'
import type { Picked } from './picked'
import type { Service } from './uploadQueue'

const MOST_NAMES_TRIED = 20
/** What no folder's name may have everywhere. */
const NOT_IN_NAMES = /[/\\:*?"<>|\p{Cc}]+/gu

/** A folder on the service's machine, or why there is none. */
export type Made = { path: string } | { problem: string }

/** A new folder for a dataset, with a number behind its name when there is one already. */
export async function makeFolder(client: Client, name: string): Promise<Made> {
  const wanted = name.replaceAll(NOT_IN_NAMES, '-').trim() || messages.newDataset.suggestions.image
  for (let number = 1; number <= MOST_NAMES_TRIED; number += 1) {
    const path = number === 1 ? wanted : `${wanted}-${number}`
    const made = await createFolder(client, path)
    if (!('errors' in made)) return made
    if (!isTaken(made.errors)) return { problem: describe(made.errors) }
  }
  return { problem: messages.uploads.noPlace }
}

/** The folders in which files lie below the one that was chosen; those that are there already will do. */
export async function makeFoldersOf(client: Client, base: string, picked: readonly Picked[]): Promise<string | null> {
  const folders = new Set(picked.map(({ folder }) => folder).filter((folder) => folder !== ''))
  for (const folder of [...folders].sort()) {
    const made = await createFolder(client, `${base}/${folder}`)
    if ('errors' in made && !isTaken(made.errors)) return describe(made.errors)
    if ('problem' in made) return made.problem
  }
  return null
}

async function createFolder(client: Client, path: string): Promise<Made | { errors: readonly ErrorPartsFragment[] }> {
  const input = { path, idempotencyKey: createIdempotencyKey() }
  const { data, error } = await client.mutation(CreateFolderDocument, { input })
  const payload = data?.createFolder
  if (payload?.directory?.path) return { path: payload.directory.path }
  if (payload && payload.errors.length > 0) return { errors: payload.errors }
  return { problem: error ? describeFailure(error) : messages.connection.unreachable }
}

function isTaken(errors: readonly ErrorPartsFragment[]): boolean {
  return errors.some(({ code }) => code === 'NAME_TAKEN')
}

function describe(errors: readonly ErrorPartsFragment[]): string {
  return sortRefusals(errors, []).form ?? ''
}

/** How the queue talks with the service about files that go into a folder. */
export function toService(client: Client, base: string): Service {
  return {
    createKey: createIdempotencyKey,
    async begin({ file, folder }, isArchive, idempotencyKey) {
      const input = {
        path: folder === '' ? base : `${base}/${folder}`,
        filename: file.name,
        sizeBytes: file.size,
        extract: isArchive,
        idempotencyKey,
      }
      const { data, error } = await client.mutation(BeginUploadDocument, { input })
      const payload = data?.beginUpload
      if (payload?.upload) return { kind: 'begun', ...payload.upload }
      if (payload && payload.errors.length > 0) return { kind: 'refused', problem: describe(payload.errors) }
      return error && error.graphQLErrors.length > 0
        ? { kind: 'refused', problem: describeFailure(error) }
        : { kind: 'lost' }
    },
    async look(id) {
      const { data, error } = await client.query(UploadDocument, { id }, { requestPolicy: 'network-only' })
      if (error) return { kind: 'lost' }
      const upload = data?.upload
      if (!upload) return { kind: 'done', report: null }
      if (upload.state === 'DONE') return { kind: 'done', report: upload.report }
      if (upload.state === 'REFUSED') return { kind: 'refused', problem: toSentence(upload.problem ?? '') }
      return { kind: 'unpacking', progress: upload.state === 'UNPACKING' ? upload.progress : 0 }
    },
  }
}
