import { Tabs } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useLocation } from 'wouter'
import { messages } from '../app/messages'
import { Notice } from '../app/Notice'
import { PageTitle } from '../app/PageTitle'
import { routes } from '../app/routes'
import { ApiKeys } from './ApiKeys'
import { Profile } from './Profile'
import { Secrets } from './Secrets'
import { Sessions } from './Sessions'

const words = messages.account
const TABS = [
  { key: 'profile', href: routes.account, label: words.tabs.profile, Content: Profile },
  { key: 'sessions', href: routes.sessions, label: words.tabs.sessions, Content: Sessions },
  { key: 'api-keys', href: routes.apiKeys, label: words.tabs.apiKeys, Content: ApiKeys },
  { key: 'secrets', href: routes.secrets, label: messages.secrets.title, Content: Secrets },
]

/** One's own account. */
export function AccountPage({ tab = 'profile' }: { tab?: string | undefined }) {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const [, navigate] = useLocation()
  if (!TABS.some(({ key }) => key === tab))
    return <Notice title={messages.shell.notFound} hint={messages.shell.notFoundHint} />
  return (
    <>
      <PageTitle title={words.title} />
      <Tabs
        value={tab}
        onChange={(chosen) => navigate(TABS.find(({ key }) => key === chosen)?.href ?? routes.account)}
        keepMounted={false}
      >
        <Tabs.List mb="lg">
          {TABS.map(({ key, label }) => (
            <Tabs.Tab key={key} value={key}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {TABS.map(({ key, Content }) => (
          <Tabs.Panel key={key} value={key}>
            <Content />
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  )
}
