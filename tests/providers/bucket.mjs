// A server that speaks S3, with one bucket in a folder: node bucket.mjs FOLDER BUCKET
// It tells its port, then every request as a line of JSON. Keys with "flaky" in them answer 503 the first time,
// and a page of a listing has ten keys.

import { createServer } from 'node:http'
import S3rver from '@20minutes/s3rver'

const [directory, name] = process.argv.slice(2)
const service = new S3rver({ directory, silent: true, configureBuckets: [{ name }] })
await service.configureBuckets()
const list = service.store.listObjects.bind(service.store)
service.store.listObjects = (bucket, options) => list(bucket, { ...options, maxKeys: Math.min(10, options.maxKeys) })
const answer = service.callback()
const failed = new Set()

const server = createServer((request, response) => {
  const { method, url, headers } = request
  console.log(JSON.stringify({ method, url, range: headers.range ?? null }))
  if (method === 'GET' && url.includes('flaky') && !failed.has(url)) {
    failed.add(url)
    response.writeHead(503).end()
    return
  }
  answer(request, response)
})

server.listen(0, '127.0.0.1', () => console.log(server.address().port))
