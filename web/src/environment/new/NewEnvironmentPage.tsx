import { Button, Paper, Tabs, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { Link, useLocation } from 'wouter'
import { Breadcrumb } from '../../app/Breadcrumb'
import { messages } from '../../app/messages'
import { Notice } from '../../app/Notice'
import { PageTitle } from '../../app/PageTitle'
import { routes } from '../../app/routes'
import { FromCopy } from './FromCopy'
import { FromExample } from './FromExample'
import { FromModel } from './FromModel'
import { FromTemplate } from './FromTemplate'

const words = messages.newEnvironment
const SOURCES = [
  { key: 'model', href: routes.newEnvironment, label: words.tabs.model, lead: words.leads.model, Form: FromModel },
  {
    key: 'example',
    href: routes.newFromExample,
    label: words.tabs.example,
    lead: words.leads.example,
    Form: FromExample,
  },
  {
    key: 'template',
    href: routes.newFromTemplate,
    label: words.tabs.template,
    lead: words.leads.template,
    Form: FromTemplate,
  },
  { key: 'copy', href: routes.copyEnvironment(), label: words.tabs.copy, lead: words.leads.copy, Form: FromCopy },
]

/** An environment from nothing, from an example, a template, or from another one. */
export default function NewEnvironmentPage({ source = 'model' }: { source?: string | undefined }) {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [, navigate] = useLocation()
  if (!SOURCES.some(({ key }) => key === source))
    return <Notice title={messages.shell.notFound} hint={messages.shell.notFoundHint} />
  return (
    <>
      <Breadcrumb href={routes.environments} label={messages.environments.title} />
      <PageTitle
        title={words.title}
        actions={
          <Button component={Link} href={routes.importEnvironments} variant="default">
            {messages.environments.import}
          </Button>
        }
      />
      <Tabs
        value={source}
        onChange={(chosen) => navigate(SOURCES.find(({ key }) => key === chosen)?.href ?? routes.newEnvironment)}
        keepMounted={false}
      >
        <Tabs.List mb="md" aria-label={words.sources}>
          {SOURCES.map(({ key, label }) => (
            <Tabs.Tab key={key} value={key}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {SOURCES.map(({ key, lead, Form }) => (
          <Tabs.Panel key={key} value={key}>
            <Text c="dimmed" fz="sm" mb="md">
              {lead}
            </Text>
            <Paper withBorder p="md" maw={980}>
              <Form />
            </Paper>
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  )
}
