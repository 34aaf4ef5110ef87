import { useCallback, useLayoutEffect, useRef, useState, type RefObject } from 'react'

const CLOSE_ENOUGH_PX = 24

interface StickToEnd<Element> {
  ref: RefObject<Element | null>
  isAtEnd: boolean
  onScroll: () => void
  goToEnd: () => void
}

/** A scrolled box that follows its growing content only while the end is in view; it starts at the end. */
export function useStickToEnd<Element extends HTMLElement>(
  content: unknown,
  axis: 'vertical' | 'horizontal',
): StickToEnd<Element> {
  const ref = useRef<Element>(null)
  const [isAtEnd, setIsAtEnd] = useState(true)

  const goToEnd = useCallback(() => {
    const box = ref.current
    if (!box) return
    if (axis === 'vertical') box.scrollTop = box.scrollHeight
    else box.scrollLeft = box.scrollWidth
  }, [axis])

  useLayoutEffect(() => {
    if (isAtEnd) goToEnd()
  }, [content, isAtEnd, goToEnd])

  function onScroll() {
    const box = ref.current
    if (!box) return
    const left =
      axis === 'vertical'
        ? box.scrollHeight - box.clientHeight - box.scrollTop
        : box.scrollWidth - box.clientWidth - box.scrollLeft
    setIsAtEnd(left < CLOSE_ENOUGH_PX)
  }

  return { ref, isAtEnd, onScroll, goToEnd }
}
