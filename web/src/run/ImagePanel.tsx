import { SegmentedControl, Text } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { useMemo } from 'react'
import { useSearchParams } from 'wouter'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { Panel } from '../app/Panel'
import { withParameter } from '../app/searchParameters'
import { readDrawingSettings } from './drawing'
import { ImageComparison } from './ImageComparison'
import { arrange, findAtPlace, toPlace } from './imageGrid'
import { ImageTable } from './ImageTable'
import { ImageViewer } from './ImageViewer'
import type { RunImage } from './view'

const words = messages.images
const CELL_PX = { small: 80, medium: 128, large: 224 }
type Size = keyof typeof CELL_PX

/** Validation images, by prompt and step or two steps side by side; the address holds what is being looked at. */
export function ImagePanel({ images, config }: { images: readonly RunImage[]; config: unknown }) {
  const [search, setSearch] = useSearchParams()
  const [size, setSize] = useLocalStorage<Size>({
    key: 'image-size',
    defaultValue: 'medium',
    getInitialValueInEffect: false,
  })
  const settings = useMemo(() => readDrawingSettings(config), [config])
  const grid = useMemo(() => arrange(images), [images])
  const isComparing = search.get('images') === 'compare'
  const enlarged = findAtPlace(images, search.get('image') ?? '')

  function set(key: string, value: string | null) {
    setSearch((before) => withParameter(before, key, value), { replace: true })
  }
  const enlarge = (image: RunImage | null) => set('image', image && toPlace(image))

  if (images.length === 0)
    return (
      <Panel title={words.title}>
        <Notice title={words.empty} hint={words.emptyHint} />
      </Panel>
    )
  return (
    <Panel
      title={words.title}
      isFlush
      aside={
        <>
          {!isComparing && (
            <SegmentedControl
              size="xs"
              aria-label={words.size}
              value={size}
              onChange={setSize}
              data={(Object.keys(CELL_PX) as Size[]).map((value) => ({ value, label: words.sizes[value] }))}
            />
          )}
          <SegmentedControl
            size="xs"
            aria-label={words.mode}
            value={isComparing ? 'compare' : 'grid'}
            onChange={(mode) => set('images', mode === 'compare' ? mode : null)}
            data={[
              { value: 'grid', label: words.grid },
              { value: 'compare', label: words.compare },
            ]}
          />
        </>
      }
    >
      {settings.note !== null && (
        <Text fz="xs" c="dimmed" px="md" pb={8}>
          {settings.note}
        </Text>
      )}
      {isComparing ? (
        <ImageComparison grid={grid} onEnlarge={enlarge} />
      ) : (
        <ImageTable grid={grid} cellPx={CELL_PX[size] * (settings.hasHalves ? 2 : 1)} onEnlarge={enlarge} />
      )}
      <ImageViewer grid={grid} image={enlarged} settings={settings} onMove={enlarge} />
    </Panel>
  )
}
