// Uploads with tus-js-client, the reference client of the tus protocol. Arguments: URL of the service, API key, folder, what to do, files.
// Prints what happened as JSON.

import fs from 'node:fs'
import path from 'node:path'
import * as tus from 'tus-js-client'

const [service, key, folder, act, ...files] = process.argv.slice(2)
const headers = { 'X-API-Key': key }

async function begin(file, size, extract) {
  const query =
    'mutation ($input: BeginUploadInput!) { beginUpload(input: $input) { upload { id url } errors { message } } }'
  const input = { path: folder, filename: path.basename(file), sizeBytes: size, extract }
  const answer = await fetch(`${service}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input } }),
  })
  const { upload, errors } = (await answer.json()).data.beginUpload
  if (errors.length) throw new Error(errors[0].message)
  return new URL(upload.url, service).toString()
}

function send(file, options) {
  return new Promise((resolve) => {
    const told = { progress: 0, requests: [] }
    const upload = new tus.Upload(fs.createReadStream(file), {
      headers,
      chunkSize: 100_000,
      retryDelays: [0, 100, 500, ...Array(30).fill(2000)],
      onProgress: (sent) => (told.progress = sent),
      onAfterResponse: (request, response) => told.requests.push(`${request.getMethod()} ${response.getStatus()}`),
      onError: (error) => resolve({ ...told, error: error.message }),
      onSuccess: () => resolve({ ...told, url: upload.url }),
      ...options,
    })
    told.upload = upload
    upload.start()
  }).then(({ upload, ...told }) => told)
}

const created = (file) => ({
  endpoint: `${service}/api/uploads`,
  metadata: { filename: path.basename(file), path: folder, extract: String(file.endsWith('.zip')) },
})

const acts = {
  async begun(file) {
    return send(file, { uploadUrl: await begin(file, fs.statSync(file).size, file.endsWith('.zip')) })
  },
  async created(file) {
    return send(file, created(file))
  },
  async atOnce(file) {
    return send(file, { ...created(file), uploadDataDuringCreation: true, chunkSize: Infinity })
  },
  async overridden(file) {
    return send(file, { ...created(file), overridePatchMethod: true })
  },
  async terminated(file) {
    const url = await begin(file, fs.statSync(file).size, false)
    await new Promise((resolve) => {
      const upload = new tus.Upload(fs.createReadStream(file), {
        headers,
        uploadUrl: url,
        chunkSize: 100_000,
        onChunkComplete: () => upload.abort(true).then(resolve),
      })
      upload.start()
    })
    return { status: (await fetch(url, { method: 'HEAD', headers: { ...headers, 'Tus-Resumable': '1.0.0' } })).status }
  },
  async many(...all) {
    const waiting = [...all]
    const results = []
    const work = async () => {
      while (waiting.length) results.push(await acts.atOnce(waiting.pop()))
    }
    await Promise.all(Array.from({ length: 6 }, work))
    return { sent: results.filter((each) => !each.error).length, errors: results.filter((each) => each.error) }
  },
}

console.log(JSON.stringify(await acts[act](...files)))
