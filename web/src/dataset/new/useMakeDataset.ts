import { useState } from 'react'
import { useClient } from 'urql'
import { useLocation } from 'wouter'
import { messages } from '../../app/messages'
import { routes } from '../../app/routes'
import { describeFailure, sortRefusals, type Refusal } from '../../graphql/errors'
import { CreateDatasetDocument, ScanDatasetDocument } from '../../graphql/generated/documents'
import { createIdempotencyKey } from '../../graphql/idempotencyKey'
import type { Strategy } from './CaptionSource'
import { toVideo, type Clips, type Kind } from './clips'
import type { Picked } from './picked'
import { isPlain, type Outcome } from './progress'
import { makeFolder } from './uploadService'
import type { UploadQueue } from './uploadQueue'
import { useUpload } from './useUpload'

const FIELDS = ['name', 'instance_prompt', 'video'] as const
type Refused = Refusal<(typeof FIELDS)[number]>
const NOTHING: Refused = { fields: {}, form: null }

/** What a dataset is made of: files to be sent, or a folder that is there. */
export type Source = { picked: readonly Picked[] } | { folder: string }

export interface Wish {
  name: string
  kind: Kind
  /** Of videos. */
  clips: Clips
  strategy: Strategy
  prompt: string
  source: Source
}

interface Made {
  id: string
  name: string
  folder: string
}

interface MakeDataset {
  /** The dataset, once it is there; more files can be sent into it. */
  made: Made | null
  /** What is being done at this moment, in words. */
  step: string | null
  refusal: Refused
  queue: UploadQueue | null
  /** What became of the files, where somebody has to be told of it. */
  outcome: Outcome | null
  make: (wish: Wish) => Promise<void>
  cancel: () => void
  forgetOutcome: () => void
}

/**
 * Make a dataset, send its files, have it scanned and go there. The folder and the dataset come first, so that a name that is
 * taken is told before anything is sent.
 */
export function useMakeDataset(): MakeDataset {
  const client = useClient()
  const [, navigate] = useLocation()
  const [folder, setFolder] = useState<string | null>(null)
  const [made, setMade] = useState<Made | null>(null)
  const [step, setStep] = useState<string | null>(null)
  const [refusal, setRefusal] = useState(NOTHING)
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const upload = useUpload()
  const refuse = (form: string) => setRefusal({ fields: {}, form })

  /** The folder of an earlier try is used again. */
  async function findFolder({ source, name }: Wish): Promise<string | null> {
    if ('folder' in source) return source.folder
    if (folder !== null) return folder
    setStep(messages.uploads.preparing)
    const found = await makeFolder(client, name)
    if ('problem' in found) {
      refuse(found.problem)
      return null
    }
    setFolder(found.path)
    return found.path
  }

  async function create(wish: Wish, path: string): Promise<Made | null> {
    const { name, kind, clips, strategy, prompt } = wish
    const video = kind === 'video' ? toVideo(clips) : null
    setStep(messages.uploads.creating)
    const config = {
      instance_data_dir: path,
      caption_strategy: strategy,
      ...(kind === 'video' && { dataset_type: kind }),
      ...(video !== null && { video }),
      ...(strategy === 'instanceprompt' && { instance_prompt: prompt }),
    }
    const input = { name, config, idempotencyKey: createIdempotencyKey() }
    const { data, error } = await client.mutation(CreateDatasetDocument, { input })
    const payload = data?.createDataset
    if (payload?.dataset) return { id: payload.dataset.id, name, folder: path }
    if (error) refuse(describeFailure(error))
    else setRefusal(sortRefusals(payload?.errors ?? [], FIELDS))
    return null
  }

  async function find(wish: Wish): Promise<Made | null> {
    if (made !== null) return made
    const path = await findFolder(wish)
    return path === null ? null : create(wish, path)
  }

  async function make(wish: Wish): Promise<void> {
    setRefusal(NOTHING)
    const dataset = await find(wish)
    setStep(null)
    if (dataset === null) return
    setMade(dataset)
    const { source } = wish
    const sent = 'picked' in source ? await upload.send(dataset.folder, source.picked) : null
    if (sent !== null && 'problem' in sent) {
      refuse(sent.problem)
      return
    }
    await client.mutation(ScanDatasetDocument, { input: { id: dataset.id } })
    if ('folder' in source || (sent !== null && isPlain(sent))) navigate(routes.dataset(dataset.id))
    else setOutcome(sent)
  }

  return {
    made,
    step,
    refusal,
    queue: upload.queue,
    outcome,
    make,
    cancel: upload.cancel,
    forgetOutcome: () => setOutcome(null),
  }
}
