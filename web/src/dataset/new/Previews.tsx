import { useEffect, useRef } from 'react'
import { sortOf, type Picked } from './picked'
import classes from './FileDrop.module.css'

const MOST = 8

/** The first of the pictures, as they are on this computer. */
export function Previews({ picked }: { picked: readonly Picked[] }) {
  const pictures = picked.filter(({ file }) => sortOf(file.name) === 'picture').slice(0, MOST)
  return (
    <div className={classes.previews} aria-hidden="true">
      {pictures.map(({ file }, place) => (
        <Preview key={place} file={file} />
      ))}
    </div>
  )
}

function Preview({ file }: { file: File }) {
  const image = useRef<HTMLImageElement>(null)
  useEffect(() => {
    const url = URL.createObjectURL(file)
    if (image.current) image.current.src = url
    return () => URL.revokeObjectURL(url)
  }, [file])
  return <img ref={image} alt="" />
}
