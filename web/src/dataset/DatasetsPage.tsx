import { Button, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useEffect, useEffectEvent } from 'react'
import { Link } from 'wouter'
import { DataTable } from '../app/DataTable'
import { formatCount } from '../app/format'
import { Plus } from '../app/icons'
import { LoadedView } from '../app/LoadedView'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { routes } from '../app/routes'
import { Rows } from '../app/Rows'
import { Time } from '../app/Time'
import { DatasetsDocument, type DatasetsQuery, type DatasetsQueryVariables } from '../graphql/generated/documents'
import { useLoaded } from '../graphql/useLoaded'
import { useMay } from '../user/viewer'
import { isUnusable } from './pictures/problems'
import { isUnderWay } from './scan/scan'
import { ScanBadge } from './scan/ScanBadge'
import classes from './DatasetsPage.module.css'

const words = messages.datasets
const { columns } = words
const HEADINGS = [columns.name, columns.kind, columns.files, columns.scan, columns.updated]
const VARIABLES: DatasetsQueryVariables = { first: 30 }
// Without it the list would not be asked for again when it is empty, or when one has been deleted.
const CONTEXT = { additionalTypenames: ['Dataset'] }
/** The first pictures of each, as many as the query asks for. */
const STRIP = [0, 1, 2, 3]
const ASK_AGAIN_EVERY_MS = 2_000

/** Every dataset that the viewer may see. */
export function DatasetsPage() {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const may = useMay()
  const query = useLoaded({ query: DatasetsDocument, variables: VARIABLES, context: CONTEXT })
  const isScanning = query.data?.datasets.edges.some(({ node }) => isUnderWay(node.scan)) ?? false
  const askAgain = useEffectEvent(query.refresh)
  useEffect(() => {
    if (!isScanning) return
    const timer = setInterval(() => askAgain(), ASK_AGAIN_EVERY_MS)
    return () => clearInterval(timer)
  }, [isScanning])
  return (
    <>
      <PageTitle
        title={words.title}
        actions={
          may('config.create') && (
            <Button component={Link} href={routes.newDataset} leftSection={<Plus />}>
              {words.create}
            </Button>
          )
        }
      />
      <Text c="dimmed" fz="sm" mb="sm" mih={20} role="status">
        {query.data && query.data.datasets.totalCount > 0 && words.count(formatCount(query.data.datasets.totalCount))}
      </Text>
      <Paper withBorder>
        <LoadedView query={query}>
          {({ datasets }) => (datasets.totalCount > 0 ? <DatasetTable datasets={datasets} /> : <NoDatasets />)}
        </LoadedView>
      </Paper>
    </>
  )
}

function NoDatasets() {
  const may = useMay()
  if (!may('config.create')) return <Notice title={words.emptyForViewer} hint={words.emptyForViewerHint} />
  return (
    <Notice title={words.empty} hint={words.emptyHint}>
      <Button component={Link} href={routes.newDataset} leftSection={<Plus />} mt="sm">
        {words.create}
      </Button>
    </Notice>
  )
}

function DatasetTable({ datasets }: Pick<DatasetsQuery, 'datasets'>) {
  return (
    <DataTable headings={HEADINGS} label={words.title}>
      <Rows
        connection={datasets}
        document={DatasetsDocument}
        variables={VARIABLES}
        connectionOf={(data) => data.datasets}
        numColumns={HEADINGS.length}
        row={({ id, name, kind, numImages, scan, updatedAt, images }) => (
          <tr key={id} className={classes.row}>
            <th scope="row" className={classes.name}>
              <span className={classes.strip} aria-hidden="true">
                {STRIP.map((place) => {
                  const picture = images.edges[place]?.node
                  return picture && !isUnusable(picture.problems) ? (
                    <img key={place} src={picture.thumbnailUrl} alt="" loading="lazy" decoding="async" />
                  ) : (
                    <span key={place} />
                  )
                })}
              </span>
              <Link href={routes.dataset(id)} className={classes.link}>
                {name}
              </Link>
            </th>
            <td data-label={columns.kind}>{words.kinds[kind] ?? kind}</td>
            <td data-label={columns.files}>{numImages === null ? messages.none : formatCount(numImages)}</td>
            <td data-label={columns.scan}>
              <ScanBadge scan={scan} />
            </td>
            <td data-label={columns.updated}>
              <Time at={updatedAt} />
            </td>
          </tr>
        )}
      />
    </DataTable>
  )
}
