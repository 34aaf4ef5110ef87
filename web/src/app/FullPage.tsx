import type { ReactNode } from 'react'
import { Logo } from './icons'
import { messages } from './messages'
import classes from './FullPage.module.css'

/** A page without navigation: the product's name and one thing in the middle. */
export function FullPage({ children }: { children: ReactNode }) {
  return (
    <main className={classes.page}>
      <div className={classes.brand}>
        <Logo size={28} />
        {messages.product}
      </div>
      {children}
    </main>
  )
}
