import { toSentence } from '../../app/format'
import { LoadedView } from '../../app/LoadedView'
import { messages } from '../../app/messages'
import { Failure } from '../../app/Notice'
import { ImagePreviewDocument } from '../../graphql/generated/documents'
import { useLoaded } from '../../graphql/useLoaded'
import { useContents } from '../contents'
import type { Picture, Selection } from './pictureFeed'
import classes from './PictureDrawer.module.css'

const words = messages.picture

interface TrainingViewProps {
  datasetId: string
  picture: Picture
  selection: Selection
  /** The cursor of the picture before it. */
  after: string | null
}

/** The very pixels that training sees, and the texts that they are shown with. */
export function TrainingView({ datasetId, picture, selection, after }: TrainingViewProps) {
  const contents = useContents()
  const query = useLoaded({
    query: ImagePreviewDocument,
    variables: { id: datasetId, after, ...selection },
    requestPolicy: 'network-only',
  })
  if (query.error) return <Failure error={query.error} onRetry={query.refresh} />
  return (
    <LoadedView query={query} rows={6}>
      {({ dataset }) => {
        const found = dataset?.images.edges.find(({ node }) => node.id === picture.id)
        const preview = found?.node.preview
        if (!preview)
          return (
            <div className={classes.nothing}>
              {contents.notTrained}
              {picture.leftOut !== null && <span>{toSentence(picture.leftOut)}</span>}
            </div>
          )
        const { url, region, captions } = preview
        return (
          <div>
            <img className={classes.image} src={url} alt={words.trainingAlt(picture.path)} />
            <div className={classes.region}>
              {words.region}: {words.regionOf(region.width, region.height, region.x, region.y)}
            </div>
            {captions.length > 0 && (
              <>
                <div className={classes.region}>{words.shownWith}:</div>
                <ul className={classes.captions}>
                  {captions.map((caption, place) => (
                    <li key={place}>{caption}</li>
                  ))}
                </ul>
              </>
            )}
          </div>
        )
      }}
    </LoadedView>
  )
}
