import { createContext, useContext } from 'react'
import type { ViewerPartsFragment } from '../graphql/generated/documents'

const ViewerContext = createContext<ViewerPartsFragment | null>(null)
export const ViewerProvider = ViewerContext.Provider

/** Who is signed in, and what they may do. */
export function useViewer(): ViewerPartsFragment {
  const viewer = useContext(ViewerContext)
  if (!viewer) throw new Error('used where nobody is signed in')
  return viewer
}

/** Asks whether the viewer has one of some permissions; what they may not do is not offered. */
export function useMay(): (...permissions: string[]) => boolean {
  const { permissions } = useViewer()
  return (...asked) => asked.some((permission) => permissions.includes(permission))
}

/** Asks whether the viewer may do something to a thing of an owner, by `.own` and `.all` of a permission. */
export function useMayTo(): (permission: string, ownerId: string | undefined) => boolean {
  const { user } = useViewer()
  const may = useMay()
  return (permission, ownerId) => may(`${permission}.all`) || (ownerId === user.id && may(`${permission}.own`))
}
