import type { Client, CombinedError } from '@urql/core'
import {
  DatasetImagesDocument,
  type DatasetImageFilter,
  type DatasetImagesQuery,
} from '../../graphql/generated/documents'

type Connection = NonNullable<DatasetImagesQuery['dataset']>['images']
export type PictureEdge = Connection['edges'][number]
export type Picture = PictureEdge['node']

export interface PictureList {
  /** undefined until the first answer. */
  edges: readonly PictureEdge[] | undefined
  totalCount: number
  hasMore: boolean
  isBusy: boolean
  error: CombinedError | undefined
}

export const PAGE_LENGTH = 60
/** Which pictures, and by which environment they are judged; null for the dataset alone. */
export interface Selection {
  filter: DatasetImageFilter | null
  environmentId: string | null
}

const LONGEST_PAGE = 100
const NOTHING: PictureList = { edges: undefined, totalCount: 0, hasMore: false, isBusy: true, error: undefined }

/** Pictures of a dataset by name, page by page; asking anew gives as many as were shown, in one change. */
export class PictureFeed {
  readonly #client: Client
  readonly #datasetId: string
  readonly #selection: Selection
  readonly #listeners = new Set<() => void>()
  #state = NOTHING
  /** Which answer is awaited; one to an earlier question is dropped. */
  #attempt = 0

  constructor(client: Client, datasetId: string, selection: Selection) {
    this.#client = client
    this.#datasetId = datasetId
    this.#selection = selection
  }

  readonly getState = (): PictureList => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly reload = async (): Promise<void> => {
    const wanted = Math.max(PAGE_LENGTH, this.#state.edges?.length ?? 0)
    await this.#read([], wanted)
  }

  readonly showMore = async (): Promise<void> => {
    const edges = this.#state.edges ?? []
    await this.#read(edges, edges.length + PAGE_LENGTH)
  }

  /** Put what the service answered about single pictures in their places. */
  replace(pictures: readonly Picture[]): void {
    const edges = this.#state.edges?.map((edge) => {
      const newer = pictures.find(({ id }) => id === edge.node.id)
      return newer ? { ...edge, node: newer } : edge
    })
    this.#set({ ...this.#state, edges })
  }

  async #read(known: readonly PictureEdge[], wanted: number): Promise<void> {
    this.#attempt += 1
    const attempt = this.#attempt
    let edges = known
    let hasMore = true
    this.#set({ ...this.#state, isBusy: true })
    while (hasMore && edges.length < wanted) {
      const { data, error } = await this.#ask(Math.min(LONGEST_PAGE, wanted - edges.length), edges.at(-1)?.cursor)
      if (attempt !== this.#attempt) return
      if (!data?.dataset) {
        this.#set({ ...this.#state, isBusy: false, error })
        return
      }
      const { images } = data.dataset
      edges = [...edges, ...images.edges]
      hasMore = images.pageInfo.hasNextPage
      if (edges.length >= wanted || !hasMore)
        this.#set({ edges, totalCount: images.totalCount, hasMore, isBusy: false, error: undefined })
    }
  }

  #ask(first: number, after: string | undefined) {
    const variables = { id: this.#datasetId, first, after: after ?? null, ...this.#selection }
    return this.#client.query(DatasetImagesDocument, variables, { requestPolicy: 'network-only' }).toPromise()
  }

  #set(state: PictureList): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}
