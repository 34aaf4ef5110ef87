import { Button } from '@mantine/core'
import { Component, type ReactNode } from 'react'
import { messages } from './messages'
import { Notice } from './Notice'

interface PageBoundaryProps {
  /** Going elsewhere tries again. */
  place: string
  children: ReactNode
}

/** A page whose code could not be fetched, because the service is away or a newer one, leaves the rest standing. */
export class PageBoundary extends Component<PageBoundaryProps, { hasFailed: boolean }> {
  override state = { hasFailed: false }

  static getDerivedStateFromError() {
    return { hasFailed: true }
  }

  override componentDidUpdate(before: PageBoundaryProps) {
    if (this.state.hasFailed && before.place !== this.props.place) this.setState({ hasFailed: false })
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children
    return (
      <div role="alert">
        <Notice title={messages.connection.noPage} hint={messages.connection.noPageHint}>
          <Button variant="default" mt="sm" onClick={() => window.location.reload()}>
            {messages.retry}
          </Button>
        </Notice>
      </div>
    )
  }
}
