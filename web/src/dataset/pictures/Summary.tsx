import { Badge, Text, UnstyledButton } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { formatBytes, formatCount, formatDuration } from '../../app/format'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Panel } from '../../app/Panel'
import type { DatasetReportQuery } from '../../graphql/generated/documents'
import type { Loaded } from '../../graphql/useLoaded'
import { useContents } from '../contents'
import { toBucket, type PictureFilter } from './filter'
import { colorOf, labelOf } from './problems'
import classes from './Summary.module.css'

const words = messages.pictures
const FEW_BUCKETS = 6

type Dataset = NonNullable<DatasetReportQuery['dataset']>
type Report = NonNullable<NonNullable<Dataset['scan']>['report']>
type Buckets = Dataset['buckets']

interface Filtering {
  filter: PictureFilter
  onFilter: (changed: Partial<PictureFilter>) => void
}

interface SummaryProps extends Filtering {
  query: Loaded<DatasetReportQuery>
  /** By whom it is judged what training makes of the pictures. */
  judge: ReactNode
}

/** All pictures in numbers: how many, what is remarkable, and the sizes that training brings them to. */
export function Summary({ query, judge, ...filtering }: SummaryProps) {
  return (
    <LoadedView query={query} rows={3}>
      {({ dataset }) => {
        const report = dataset?.scan?.report
        if (!dataset || !report) return null
        return (
          <div className={classes.summary}>
            <Panel title={words.summary}>
              <Facts report={report} buckets={dataset.buckets} />
              <Problems report={report} {...filtering} />
            </Panel>
            <Panel title={words.buckets} aside={judge}>
              <BucketBars buckets={dataset.buckets} {...filtering} />
            </Panel>
          </div>
        )
      }}
    </LoadedView>
  )
}

function Facts({ report, buckets }: { report: Report; buckets: Buckets }) {
  const contents = useContents()
  const numUsed = buckets.reduce((sum, { numImages }) => sum + numImages, 0)
  const { facts } = words
  const said: [string, string][] = [
    [contents.title, formatCount(report.numImages)],
    [facts.used, formatCount(numUsed)],
    [facts.leftOut, formatCount(Math.max(0, report.numImages - numUsed))],
    [facts.bytes, formatBytes(report.totalBytes)],
    [facts.formats, report.formats.map(({ name }) => name).join(', ') || messages.none],
    [facts.sizes, [...new Set([report.smallest, report.largest].map(describeSize))].join(' – ')],
    ...describeLengths(report),
  ]
  return (
    <dl className={classes.facts}>
      {said.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** Of videos. */
function describeLengths({ totalSeconds, fewestFrames, mostFrames, frameRates }: Report): [string, string][] {
  if (totalSeconds === null || fewestFrames === null || mostFrames === null) return []
  const { facts } = words
  return [
    [facts.duration, formatDuration(totalSeconds)],
    [facts.frames, [...new Set([fewestFrames, mostFrames])].map(formatCount).join(' – ')],
    [facts.frameRates, facts.frameRatesOf(frameRates.map(({ name }) => name).join(', '))],
  ]
}

function describeSize(size: Report['smallest']): string {
  return size === null ? messages.none : `${size.width} × ${size.height}`
}

function Problems({ report, filter, onFilter }: Filtering & { report: Report }) {
  if (report.problems.length === 0)
    return (
      <Text fz="sm" c="dimmed">
        {words.noProblems}
      </Text>
    )
  return (
    <div className={classes.problems} role="group" aria-label={words.toLook}>
      {report.problems.map(({ problem, numImages }) => {
        const isChosen = filter.problem === problem
        return (
          <UnstyledButton
            key={problem}
            aria-pressed={isChosen}
            onClick={() => onFilter({ problem: isChosen ? null : problem })}
          >
            <Badge
              variant={isChosen ? 'filled' : 'light'}
              color={isChosen ? 'brand' : colorOf(problem)}
              size="lg"
              tt="none"
              fw={500}
              className={classes.problem ?? ''}
            >
              {labelOf(problem)} <b>{formatCount(numImages)}</b>
            </Badge>
          </UnstyledButton>
        )
      })}
    </div>
  )
}

export function describeShape(width: number, height: number, numFrames: number): string {
  const size = `${width} × ${height}`
  return numFrames === 1 ? size : `${size}, ${words.frames(formatCount(numFrames))}`
}

function BucketBars({ buckets, filter, onFilter }: Filtering & { buckets: Buckets }) {
  const contents = useContents()
  const [isLong, setIsLong] = useState(false)
  if (buckets.length === 0)
    return (
      <Text fz="sm" c="dimmed">
        {contents.none}
      </Text>
    )
  const most = Math.max(...buckets.map(({ numImages }) => numImages))
  const shown = isLong ? buckets : buckets.slice(0, FEW_BUCKETS)
  return (
    <>
      <div className={classes.bars} data-long={isLong || undefined} role="group" aria-label={words.buckets}>
        {shown.map(({ width, height, numFrames, numImages }) => {
          const bucket = toBucket({ width, height, numFrames })
          const isChosen = filter.bucket === bucket
          const size = describeShape(width, height, numFrames)
          return (
            <UnstyledButton
              key={bucket}
              className={classes.bar ?? ''}
              aria-pressed={isChosen}
              aria-label={contents.bucketLabel(size, formatCount(numImages))}
              onClick={() => onFilter({ bucket: isChosen ? null : bucket })}
            >
              <span>{size}</span>
              <span className={classes.track}>
                <span className={classes.fill} style={{ width: `${(numImages / most) * 100}%` }} />
              </span>
              <span className={classes.number}>{formatCount(numImages)}</span>
            </UnstyledButton>
          )
        })}
      </div>
      {buckets.length > FEW_BUCKETS && (
        <UnstyledButton className={classes.more ?? ''} onClick={() => setIsLong(!isLong)}>
          {isLong ? words.fewerBuckets : words.moreBuckets(formatCount(buckets.length - FEW_BUCKETS))}
        </UnstyledButton>
      )}
    </>
  )
}
