// A certified OpenID provider with the accounts and clients of a JSON file: node openid.mjs PORT FILE
// Its own login and consent pages ask for a name only; what a person may do there, a test does over HTTP.

import { readFileSync } from 'node:fs'
import Provider from 'oidc-provider'

const [port, file] = process.argv.slice(2)
const { accounts, clients } = JSON.parse(readFileSync(file, 'utf8'))

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['preferred_username', 'groups', 'realm_access'],
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
  pkce: { required: () => true },
  cookies: { keys: ['tests'] },
})

provider.listen(Number(port), '127.0.0.1', () => console.log('listening'))
