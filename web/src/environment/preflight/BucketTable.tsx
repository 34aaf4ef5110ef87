import { formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { isOpenAtFirst, sortBuckets, type Bucket } from './preflight'
import classes from './PreflightPanel.module.css'

const words = messages.preflight
const columns = words.bucketColumns

/** How many pictures are trained on in which size. */
export function BucketTable({ buckets }: { buckets: readonly Bucket[] }) {
  const title = words.buckets(formatCount(buckets.length))
  return (
    <details className={classes.buckets} open={isOpenAtFirst(buckets)}>
      <summary>{title}</summary>
      <table aria-label={title}>
        <thead>
          <tr>
            <th scope="col">{columns.dataset}</th>
            <th scope="col">{columns.size}</th>
            <th scope="col">{columns.files}</th>
            <th scope="col">{columns.scheduled}</th>
          </tr>
        </thead>
        <tbody>
          {sortBuckets(buckets).map(({ dataset, width, height, numFrames, ...bucket }) => (
            <tr key={`${dataset} ${width} ${height} ${numFrames}`}>
              <th scope="row">{dataset === '' ? words.hiddenDataset : dataset}</th>
              <td>
                {width} × {height}
                {numFrames > 1 && <small>{messages.pictures.frames(formatCount(numFrames))}</small>}
              </td>
              <td>{formatCount(bucket.numImages)}</td>
              <td>
                {formatCount(bucket.scheduled)}
                {!bucket.usable && <small>{words.tooSmall(formatCount(bucket.smallestRepeats))}</small>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}
