// The audits of graphql-http for servers: each line one of them, with what it says.
import { auditServer } from 'graphql-http'

const [url, key] = process.argv.slice(2)
const fetchWithKey = (to, init = {}) => fetch(to, { ...init, headers: { ...init.headers, 'x-api-key': key } })

for (const result of await auditServer({ url, fetchFn: fetchWithKey })) {
  console.log(JSON.stringify({ id: result.id, name: result.name, status: result.status, reason: result.reason ?? null }))
}
