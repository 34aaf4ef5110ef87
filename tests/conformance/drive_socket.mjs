// The reference client of graphql-transport-ws against the service; every frame that comes is checked by its own rules.
// Prints one JSON object: what came, in order, and what was wrong with any frame.
import { createClient, validateMessage } from 'graphql-ws'
import WebSocket from 'ws'

const [url, key] = process.argv.slice(2)
const frames = []
const problems = []
const sockets = []

class Watched extends WebSocket {
  constructor(...given) {
    super(...given)
    sockets.push(this)
    this.on('message', (data, isBinary) => {
      try {
        if (isBinary) throw new Error('a binary frame')
        frames.push(validateMessage(JSON.parse(String(data))).type)
      } catch (error) {
        problems.push(`${error.message}: ${data}`)
      }
    })
  }
}

const events = []
const client = createClient({
  url,
  webSocketImpl: Watched,
  connectionParams: { 'X-API-Key': key },
  keepAlive: 300,
  retryAttempts: 5,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  lazy: false,
  on: {
    connected: (_socket, _payload, wasRetry) => events.push(wasRetry ? 'connected again' : 'connected'),
    pong: (received) => received && events.push('pong'),
  },
})

function once(payload) {
  return new Promise((resolve, reject) => {
    let result
    client.subscribe(payload, { next: (value) => (result = value), error: reject, complete: () => resolve(result) })
  })
}

const until = async (isSo) => {
  for (let i = 0; !isSo(); i++) {
    if (i > 200) throw new Error(`waited in vain: ${isSo}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

const query = await once({ query: '{ viewer { user { username } } }' })
const mutation = await once({
  query: 'mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { name } errors { code } } }',
  variables: { i: { name: 'from-the-socket', example: 'ink-style' } },
})
const refused = await once({ query: '{ nothing }' }).catch((errors) => errors)
const broken = await once({ query: '{' }).catch((errors) => errors)

const seen = []
const stop = client.subscribe({ query: 'subscription { runsChanged { name } }' }, {
  next: (value) => seen.push(value.data.runsChanged.name),
  error: (error) => problems.push(String(error)),
  complete: () => {},
})
const made = await once({ query: '{ environments(first: 10) { edges { node { id name } } } }' })
const { id } = made.data.environments.edges.find(({ node }) => node.name === 'from-the-socket').node
const start = 'mutation ($i: StartTrainingInput!) { startTraining(input: $i) { run { id name } errors { message } } }'
const first = await once({ query: start, variables: { i: { environmentId: id } } })
await until(() => seen.length > 0)
await until(() => events.includes('pong'))

sockets[0].terminate()
await until(() => events.includes('connected again'))
const afterwards = await once({ query: '{ viewer { user { username } } }' })
const run = first.data.startTraining.run
await once({ query: 'mutation ($i: StopTrainingInput!) { stopTraining(input: $i) { errors { code } } }', variables: { i: { runId: run.id, mode: 'STOP_NOW' } } })
const state = async () => (await once({ query: 'query ($id: ID!) { trainingRun(id: $id) { state } }', variables: { id: run.id } })).data.trainingRun.state
while (!['STOPPED', 'FINISHED', 'FAILED'].includes(await state())) await new Promise((resolve) => setTimeout(resolve, 100))
stop()
await client.dispose()
console.log(JSON.stringify({ query, mutation, refused, broken, seen: [...new Set(seen)], run: run.name, afterwards, events, frames: [...new Set(frames)], problems }))
process.exit(0)
