import { Anchor, Button, Loader } from '@mantine/core'
import { lazy, Suspense } from 'react'
import { Link, Route, Switch, useRoute } from 'wouter'
import { EnvironmentPage } from '../environment/EnvironmentPage'
import { EnvironmentsPage } from '../environment/EnvironmentsPage'
import type { ViewerPartsFragment } from '../graphql/generated/documents'
import { RunsPage } from '../run/RunsPage'
import { ApiKeysPage } from '../user/ApiKeysPage'
import { UserMenu } from '../user/UserMenu'
import { ColorSchemeToggle } from './ColorSchemeToggle'
import { ConnectionBanner } from './ConnectionBanner'
import { Logo } from './icons'
import { messages } from './messages'
import { Notice } from './Notice'
import { routes, toId } from './routes'
import classes from './Shell.module.css'

// The run's page brings the chart along, which no other page needs.
const RunPage = lazy(() => import('../run/RunPage'))

/** The frame of every page of a signed-in user: header, content, and the word when the connection is lost. */
export function Shell({ viewer }: { viewer: ViewerPartsFragment }) {
  return (
    <>
      <Anchor href="#content" className={classes.skip}>
        {messages.skipToContent}
      </Anchor>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link href={routes.runs} className={classes.brand}>
            <Logo />
            <span className={classes.brandName}>{messages.product}</span>
          </Link>
          <nav aria-label={messages.shell.navigation} className={classes.nav}>
            <NavLink href={routes.runs} also="/runs/*" label={messages.shell.runs} />
            <NavLink href={routes.environments} also="/environments/*" label={messages.shell.environments} />
          </nav>
          <ColorSchemeToggle />
          <UserMenu viewer={viewer} />
        </div>
      </header>
      <main id="content" className={classes.content} tabIndex={-1}>
        <Suspense fallback={<Loader mx="auto" my={96} display="block" />}>
          <Pages />
        </Suspense>
      </main>
      <ConnectionBanner />
    </>
  )
}

function Pages() {
  return (
    <Switch>
      <Route path={routes.runs} component={RunsPage} />
      <Route path="/runs/:id">{({ id }) => <RunPage key={id} runId={toId(id)} />}</Route>
      <Route path={routes.environments} component={EnvironmentsPage} />
      <Route path="/environments/:id">{({ id }) => <EnvironmentPage key={id} id={toId(id)} />}</Route>
      <Route path={routes.apiKeys} component={ApiKeysPage} />
      <Route>
        <Notice title={messages.shell.notFound} hint={messages.shell.notFoundHint}>
          <Button component={Link} href={routes.runs} mt="sm" variant="default">
            {messages.shell.toRuns}
          </Button>
        </Notice>
      </Route>
    </Switch>
  )
}

function NavLink({ href, also, label }: { href: string; also: string; label: string }) {
  const [isHere] = useRoute(href)
  const [isBelow] = useRoute(also)
  return (
    <Link href={href} className={classes.navLink ?? ''} aria-current={isHere || isBelow ? 'page' : undefined}>
      {label}
    </Link>
  )
}
