import { Button } from '@mantine/core'
import type { CSSProperties } from 'react'
import { formatCount } from '../app/format'
import { messages } from '../app/messages'
import { ImageCell } from './ImageCell'
import { formatSize, type ImageGrid } from './imageGrid'
import { useStickToEnd } from './useStickToEnd'
import type { RunImage } from './view'
import classes from './ImageTable.module.css'

const words = messages.images

interface ImageTableProps {
  grid: ImageGrid
  cellPx: number
  onEnlarge: (image: RunImage) => void
}

/** A row for each prompt, a column for each step. New columns come in view only for those who look at the last one. */
export function ImageTable({ grid, cellPx, onEnlarge }: ImageTableProps) {
  const { ref, isAtEnd, onScroll, goToEnd } = useStickToEnd<HTMLDivElement>(grid, 'horizontal')
  const hasSizes = new Set(grid.rows.map(formatSize)).size > 1
  const style = { '--cell': `${cellPx}px` } as CSSProperties
  return (
    <div className={classes.place}>
      <div
        ref={ref}
        onScroll={onScroll}
        className={classes.scroller}
        style={style}
        tabIndex={0}
        role="group"
        aria-label={words.title}
      >
        <table className={classes.table}>
          <thead>
            <tr>
              <td className={classes.corner} />
              {grid.steps.map((step) => (
                <th key={step} scope="col">
                  {words.step(formatCount(step))}
                  {step === 0 && <span className={classes.untrained}>{words.untrained}</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {grid.rows.map((row) => (
              <tr key={row.index}>
                <th scope="row" className={classes.prompt} title={row.prompt}>
                  <span className={classes.promptText}>{row.prompt}</span>
                  <span className={classes.seed}>
                    {words.seed(row.seed)}
                    {hasSizes && ` · ${formatSize(row)}`}
                  </span>
                </th>
                {grid.steps.map((step) => (
                  <td key={step}>
                    <ImageCell row={row} image={row.byStep.get(step)} onEnlarge={onEnlarge} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {!isAtEnd && (
        <Button size="compact-xs" variant="default" className={classes.toEnd ?? ''} onClick={goToEnd}>
          {words.newest} →
        </Button>
      )}
    </div>
  )
}
