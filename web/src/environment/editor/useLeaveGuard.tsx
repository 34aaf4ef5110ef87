import { useEffect, type ReactNode } from 'react'
import { useLocation } from 'wouter'
import { messages } from '../../app/messages'
import { useConfirm } from '../../app/useConfirm'

interface LeaveWords {
  leaveTitle: string
  leaveHint: string
  leaveYes: string
}

/** Ask before a link leads away from what is not done; home: addresses that begin so are no leaving. */
export function useLeaveGuard(isGuarded: boolean, home: string, words: LeaveWords = messages.editor): ReactNode {
  const [ask, dialog] = useConfirm()
  const [, navigate] = useLocation()

  useEffect(() => {
    if (!isGuarded) return
    const onUnload = (event: BeforeUnloadEvent) => event.preventDefault()
    const onClick = (event: MouseEvent) => {
      const href = linkOf(event)
      if (href === null || href.startsWith(home)) return
      event.preventDefault()
      event.stopPropagation()
      ask({
        title: words.leaveTitle,
        hint: words.leaveHint,
        yes: words.leaveYes,
        onYes: () => {
          navigate(href)
          return Promise.resolve()
        },
      })
    }
    window.addEventListener('beforeunload', onUnload)
    document.addEventListener('click', onClick, true)
    return () => {
      window.removeEventListener('beforeunload', onUnload)
      document.removeEventListener('click', onClick, true)
    }
  })

  return dialog
}

/** Where a click leads within this page; null for what opens elsewhere. */
function linkOf(event: MouseEvent): string | null {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null
  const link = event.target instanceof Element ? event.target.closest('a[href]') : null
  if (!(link instanceof HTMLAnchorElement) || link.target === '_blank' || link.hasAttribute('download')) return null
  if (link.origin !== window.location.origin || link.getAttribute('href')?.startsWith('#')) return null
  return link.pathname + link.search
}
