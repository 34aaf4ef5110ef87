import { Redirect, Route, Switch } from 'wouter'
import { routes } from '../app/routes'
import type { SetupQuery } from '../graphql/generated/documents'
import { Register } from './Register'
import { SignIn } from './SignIn'

interface SignedOutProps {
  setup: SetupQuery['setup']
  onDone: () => void
}

/** What somebody sees who is not signed in; after signing in they are where they wanted to go. */
export function SignedOut({ setup, onDone }: SignedOutProps) {
  return (
    <Switch>
      <Route path={routes.register}>
        {setup.registrationOpen ? <Register onDone={onDone} /> : <Redirect to={routes.runs} replace />}
      </Route>
      <Route>
        <SignIn setup={setup} onDone={onDone} />
      </Route>
    </Switch>
  )
}
