import { Anchor, Button, Loader } from '@mantine/core'
import { lazy, Suspense } from 'react'
import { Link, Route, Switch, useLocation, useRoute } from 'wouter'
import { DatasetsPage } from '../dataset/DatasetsPage'
import { EnvironmentsPage } from '../environment/EnvironmentsPage'
import { RunsPage } from '../run/RunsPage'
import { AccountPage } from '../user/AccountPage'
import { UserMenu } from '../user/UserMenu'
import { useMay } from '../user/viewer'
import { ColorSchemeToggle } from './ColorSchemeToggle'
import { ConnectionBanner } from './ConnectionBanner'
import { Logo } from './icons'
import { useAdminPages } from './adminPages'
import { Gated } from './Gated'
import { messages } from './messages'
import { Notice } from './Notice'
import { PageBoundary } from './PageBoundary'
import { routes, toId } from './routes'
import classes from './Shell.module.css'

// The run's page brings the chart along, the environment's its form, and administration is for few.
const RunPage = lazy(() => import('../run/RunPage'))
const EnvironmentPage = lazy(() => import('../environment/EnvironmentPage'))
const NewEnvironmentPage = lazy(() => import('../environment/new/NewEnvironmentPage'))
const ImportPage = lazy(() => import('../environment/import/ImportPage'))
const DatasetPage = lazy(() => import('../dataset/DatasetPage'))
const NewDatasetPage = lazy(() => import('../dataset/new/NewDatasetPage'))
const UsersPage = lazy(() => import('../user/UsersPage'))
const AccessPage = lazy(() => import('../policy/AccessPage'))
const AuditPage = lazy(() => import('../audit/AuditPage'))

/** The frame of every page of a signed-in user: header, content, and the word when the connection is lost. */
export function Shell() {
  const may = useMay()
  const adminPages = useAdminPages()
  const [place] = useLocation()
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
            {may('config.view') && (
              <NavLink href={routes.environments} also="/environments/*" label={messages.shell.environments} />
            )}
            {may('config.view') && (
              <NavLink href={routes.datasets} also="/datasets/*" label={messages.shell.datasets} />
            )}
            {adminPages.map(({ href, label }) => (
              <NavLink key={href} href={href} also={`${href}/*`} label={label} isForWide />
            ))}
          </nav>
          <ColorSchemeToggle />
          <UserMenu />
        </div>
      </header>
      <main id="content" className={classes.content} tabIndex={-1}>
        <PageBoundary place={place}>
          <Suspense fallback={<Loader mx="auto" my={96} display="block" />}>
            <Pages />
          </Suspense>
        </PageBoundary>
      </main>
      <ConnectionBanner />
    </>
  )
}

function Pages() {
  return (
    <Switch>
      <Route path={routes.runs}>
        <Gated needs={['job.view.own', 'job.view.all']} title={messages.noRights.runs}>
          <RunsPage />
        </Gated>
      </Route>
      <Route path="/runs/:id">{({ id }) => <RunPage key={id} runId={toId(id)} />}</Route>
      <Route path={routes.environments}>
        <Gated needs={['config.view']} title={messages.noRights.environments}>
          <EnvironmentsPage />
        </Gated>
      </Route>
      <Route path={routes.importEnvironments}>
        <Gated needs={['config.create']}>
          <ImportPage />
        </Gated>
      </Route>
      <Route path="/environments/new/:source?">
        {({ source }) => (
          <Gated needs={['config.create']}>
            <NewEnvironmentPage source={source} />
          </Gated>
        )}
      </Route>
      <Route path="/environments/:id/:tab?">
        {({ id, tab }) => <EnvironmentPage key={id} id={toId(id)} tab={tab} />}
      </Route>
      <Route path={routes.datasets}>
        <Gated needs={['config.view']} title={messages.noRights.datasets}>
          <DatasetsPage />
        </Gated>
      </Route>
      <Route path={routes.newDataset}>
        <Gated needs={['config.create']}>
          <NewDatasetPage />
        </Gated>
      </Route>
      <Route path="/datasets/:id/:tab?">{({ id, tab }) => <DatasetPage key={id} id={toId(id)} tab={tab} />}</Route>
      <Route path="/account/:tab?">{({ tab }) => <AccountPage tab={tab} />}</Route>
      <Route path={routes.users}>
        <Gated needs={['admin.users']}>
          <UsersPage />
        </Gated>
      </Route>
      <Route path="/access/:tab?">
        {({ tab }) => (
          <Gated needs={['admin.levels', 'admin.config']}>
            <AccessPage tab={tab} />
          </Gated>
        )}
      </Route>
      <Route path={routes.audit}>
        <Gated needs={['admin.audit']}>
          <AuditPage />
        </Gated>
      </Route>
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

interface NavLinkProps {
  href: string
  also: string
  label: string
  /** On a narrow screen it is in the user's menu instead. */
  isForWide?: boolean
}

function NavLink({ href, also, label, isForWide = false }: NavLinkProps) {
  const [isHere] = useRoute(href)
  const [isBelow] = useRoute(also)
  return (
    <Link
      href={href}
      className={classes.navLink ?? ''}
      data-wide={isForWide || undefined}
      aria-current={isHere || isBelow ? 'page' : undefined}
    >
      {label}
    </Link>
  )
}
