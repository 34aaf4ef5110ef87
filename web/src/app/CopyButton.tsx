import { Button } from '@mantine/core'
import { useState } from 'react'
import { Check, Copy } from './icons'
import { messages } from './messages'

interface CopyButtonProps {
  text: string
  isSmall?: boolean
}

export function CopyButton({ text, isSmall = false }: CopyButtonProps) {
  const [isCopied, setIsCopied] = useState(false)
  async function copy() {
    await copyText(text)
    setIsCopied(true)
    setTimeout(() => setIsCopied(false), 2_000)
  }
  return (
    <Button
      {...(isSmall ? { size: 'xs', w: 96, variant: 'default' } : { w: 110 })}
      color={isCopied ? 'teal' : 'brand'}
      leftSection={isCopied ? <Check /> : <Copy />}
      onClick={() => void copy()}
    >
      {isCopied ? messages.copied : messages.copy}
    </Button>
  )
}

/** Browsers offer the clipboard only over TLS and on this machine; elsewhere a selection is copied the old way. */
async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  // Inside the dialog, if there is one, because focus may not leave it.
  const place = document.querySelector('[role="dialog"]') ?? document.body
  place.append(area)
  area.select()
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else works without a secure context
  document.execCommand('copy')
  area.remove()
}
