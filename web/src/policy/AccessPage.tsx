import { Tabs } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { Redirect, useLocation } from 'wouter'
import { messages } from '../app/messages'
import { PageTitle } from '../app/PageTitle'
import { routes } from '../app/routes'
import { useMay } from '../user/viewer'
import { LevelMatrix } from './LevelMatrix'
import { ProviderList } from './ProviderList'
import { RegistrationSettings } from './RegistrationSettings'
import { RuleList } from './RuleList'

const words = messages.access
const TABS = [
  { key: 'levels', href: routes.access, label: words.tabs.levels, needs: 'admin.levels', Content: LevelMatrix },
  { key: 'rules', href: routes.rules, label: words.tabs.rules, needs: 'admin.levels', Content: RuleList },
  {
    key: 'registration',
    href: routes.registration,
    label: words.tabs.registration,
    needs: 'admin.config',
    Content: RegistrationSettings,
  },
  {
    key: 'providers',
    href: routes.providers,
    label: words.tabs.providers,
    needs: 'admin.config',
    Content: ProviderList,
  },
]

/** What levels allow, what narrows them, and who may make an account. */
export default function AccessPage({ tab = 'levels' }: { tab?: string | undefined }) {
  useDocumentTitle(`${words.title} · ${messages.product}`)
  const may = useMay()
  const [, navigate] = useLocation()
  const offered = TABS.filter(({ needs }) => may(needs))
  const [first] = offered
  if (first && !offered.some(({ key }) => key === tab)) return <Redirect to={first.href} replace />
  return (
    <>
      <PageTitle title={words.title} />
      <Tabs
        value={tab}
        onChange={(chosen) => navigate(offered.find(({ key }) => key === chosen)?.href ?? routes.access)}
        keepMounted={false}
      >
        <Tabs.List mb="lg">
          {offered.map(({ key, label }) => (
            <Tabs.Tab key={key} value={key}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {offered.map(({ key, Content }) => (
          <Tabs.Panel key={key} value={key}>
            <Content />
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  )
}
