// Writes src/graphql/generated/documents.ts: the types and the typed document of every operation in src/**/*.graphql,
// checked against ../schema.graphql. The plug-ins of graphql-codegen without its command line, which is heavy to install.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codegen } from '@graphql-codegen/core'
import * as documentPlugin from '@graphql-codegen/typed-document-node'
import * as operationsPlugin from '@graphql-codegen/typescript-operations'
import { buildASTSchema, parse } from 'graphql'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, 'src')
const output = join(source, 'graphql', 'generated', 'documents.ts')

const config = {
  scalars: { ID: 'string', Cursor: 'string', DateTime: 'string', JSON: 'unknown' },
  strictScalars: true,
  enumType: 'string-literal',
  enumsAsTypes: true,
  skipTypename: true,
  useTypeImports: true,
  avoidOptionals: false,
}

const schemaText = readFileSync(join(here, '..', 'schema.graphql'), 'utf8')
const documents = readdirSync(source, { recursive: true })
  .filter((name) => name.endsWith('.graphql'))
  .sort()
  .map((name) => ({ location: name, document: parse(readFileSync(join(source, name), 'utf8')) }))

const text = await codegen({
  filename: output,
  schema: parse(schemaText),
  schemaAst: buildASTSchema(parse(schemaText)),
  documents,
  config,
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations: operationsPlugin, documents: documentPlugin },
})
mkdirSync(dirname(output), { recursive: true })
writeFileSync(output, text)
