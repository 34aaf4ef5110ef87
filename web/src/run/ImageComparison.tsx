import { NativeSelect, Slider } from '@mantine/core'
import { useSearchParams } from 'wouter'
import { formatCount } from '../app/format'
import { messages } from '../app/messages'
import { withParameter } from '../app/searchParameters'
import { ImageCell } from './ImageCell'
import type { ImageGrid } from './imageGrid'
import type { RunImage } from './view'
import classes from './ImageComparison.module.css'

const words = messages.images

interface ImageComparisonProps {
  grid: ImageGrid
  onEnlarge: (image: RunImage) => void
}

/** Every prompt at two steps: the first and the newest one, until others are chosen. */
export function ImageComparison({ grid, onEnlarge }: ImageComparisonProps) {
  const [search, setSearch] = useSearchParams()
  const last = grid.steps.length - 1
  const from = pick(grid.steps, search.get('from')) ?? grid.steps[0] ?? 0
  const to = pick(grid.steps, search.get('to')) ?? grid.steps[last] ?? 0

  function set(key: 'from' | 'to', step: number | null | undefined) {
    const value = step === null || step === undefined ? null : String(step)
    setSearch((before) => withParameter(before, key, value), { replace: true })
  }
  // At the end of the slider the newest step is meant, also when a newer one comes.
  const slideTo = (place: number) => set('to', place === last ? null : grid.steps[place])

  return (
    <>
      <div className={classes.controls}>
        <NativeSelect
          size="xs"
          w={150}
          label={words.before}
          value={String(from)}
          data={grid.steps.map((step) => ({ value: String(step), label: words.step(formatCount(step)) }))}
          onChange={(event) => set('from', Number(event.currentTarget.value))}
        />
        <div className={classes.slider}>
          <span id="compared-step">
            {words.after}: {words.step(formatCount(to))} {to === grid.steps[last] && `(${words.latest})`}
          </span>
          <Slider
            min={0}
            max={Math.max(last, 1)}
            disabled={last === 0}
            step={1}
            value={grid.steps.indexOf(to)}
            onChange={slideTo}
            label={(place) => formatCount(grid.steps[place] ?? 0)}
            marks={last <= 40 ? grid.steps.map((_, value) => ({ value })) : []}
            thumbProps={{ 'aria-labelledby': 'compared-step' }}
          />
        </div>
      </div>
      <div className={classes.pairs}>
        {grid.rows.map((row) => (
          <figure key={row.index} className={classes.pair}>
            <div className={classes.images}>
              <ImageCell row={row} image={row.byStep.get(from)} onEnlarge={onEnlarge} />
              <ImageCell row={row} image={row.byStep.get(to)} onEnlarge={onEnlarge} />
            </div>
            <figcaption title={row.prompt}>{row.prompt}</figcaption>
          </figure>
        ))}
      </div>
    </>
  )
}

function pick(steps: readonly number[], text: string | null): number | undefined {
  return text === null ? undefined : steps.find((step) => String(step) === text)
}
