/** A file that somebody chose, and the folder that it lies in, from what was chosen on: '' or 'cats/grey'. */
export interface Picked {
  file: File
  folder: string
}

export type Sort = 'picture' | 'video' | 'text' | 'archive' | 'other'

const PICTURES = /\.(png|jpe?g|webp|bmp|gif|tiff?|avif)$/i
const VIDEOS = /\.(mp4|m4v|mov|mkv|webm|avi)$/i
const TEXTS = /\.(txt|caption|jsonl?|csv|parquet)$/i
const ARCHIVES = /\.zip$/i

export function sortOf(name: string): Sort {
  if (name.startsWith('.')) return 'other'
  if (PICTURES.test(name)) return 'picture'
  if (VIDEOS.test(name)) return 'video'
  if (TEXTS.test(name)) return 'text'
  return ARCHIVES.test(name) ? 'archive' : 'other'
}

/** What there is of each sort, and how much would be sent. */
export interface Tally {
  picture: number
  video: number
  text: number
  archive: number
  other: number
  bytes: number
}

export function tally(picked: readonly Picked[]): Tally {
  const counts: Tally = { picture: 0, video: 0, text: 0, archive: 0, other: 0, bytes: 0 }
  for (const { file } of picked) {
    const sort = sortOf(file.name)
    counts[sort] += 1
    if (sort !== 'other') counts.bytes += file.size
  }
  return counts
}

/** By name, without what the service would not take. */
export function sendable(picked: readonly Picked[]): Picked[] {
  const taken = picked.filter(({ file }) => sortOf(file.name) !== 'other')
  return taken.sort((one, other) => byName.compare(pathOf(one), pathOf(other)))
}

const byName = new Intl.Collator(undefined, { numeric: true })

function pathOf({ file, folder }: Picked): string {
  return `${folder}/${file.name}`
}

/** Those of a file input; a chosen folder tells where in it each one lies. */
export function fromInput(files: readonly File[]): Picked[] {
  return files.map((file) => ({ file, folder: file.webkitRelativePath.split('/').slice(0, -1).join('/') }))
}

/** What they are called together: the one folder around all of them, or the one archive. */
export function nameOf(picked: readonly Picked[]): string | null {
  const [first, ...others] = picked
  if (first === undefined) return null
  const [outermost] = first.folder.split('/')
  if (outermost && picked.every(({ folder }) => folder.split('/')[0] === outermost)) return outermost
  return others.length === 0 && sortOf(first.file.name) === 'archive' ? first.file.name.replace(ARCHIVES, '') : null
}

/** Without the one folder around all of them, which the dataset's own folder stands for. */
export function withoutOutermost(picked: readonly Picked[]): Picked[] {
  const outermost = nameOf(picked)
  if (outermost === null || picked[0]?.folder === '') return [...picked]
  return picked.map(({ file, folder }) => ({ file, folder: folder.split('/').slice(1).join('/') }))
}

/** What was dropped, with everything in dropped folders. */
export async function fromDrop(items: DataTransferItemList): Promise<Picked[]> {
  // The list is empty again after the first pause.
  const entries = Array.from(items).flatMap((item) => (item.kind === 'file' ? (item.webkitGetAsEntry() ?? []) : []))
  return (await Promise.all(entries.map((entry) => readEntry(entry, '')))).flat()
}

async function readEntry(entry: FileSystemEntry, folder: string): Promise<Picked[]> {
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject))
    return [{ file, folder }]
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return []
  const inside = await readFolder(entry.createReader())
  const below = folder === '' ? entry.name : `${folder}/${entry.name}`
  return (await Promise.all(inside.map((each) => readEntry(each, below)))).flat()
}

/** A reader gives a hundred at a time, and none when it has given all. */
async function readFolder(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const all: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return all
    all.push(...some)
  }
}
