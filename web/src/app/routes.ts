/** The addresses of the pages. Ids are opaque, so they are escaped on the way in and unescaped on the way out. */
export const routes = {
  runs: '/',
  run: (id: string) => `/runs/${encodeURIComponent(id)}`,
  environments: '/environments',
  environment: (id: string) => `/environments/${encodeURIComponent(id)}`,
  versions: (id: string) => `/environments/${encodeURIComponent(id)}/versions`,
  comparison: (id: string, from: number, to: number) =>
    `/environments/${encodeURIComponent(id)}/versions?from=${from}&to=${to}`,
  newEnvironment: '/environments/new',
  newFromExample: '/environments/new/example',
  importEnvironments: '/environments/new/import',
  newFromTemplate: '/environments/new/template',
  copyEnvironment: (id?: string) => `/environments/new/copy${id ? `?of=${encodeURIComponent(id)}` : ''}`,
  datasets: '/datasets',
  newDataset: '/datasets/new',
  dataset: (id: string, tab?: string) => `/datasets/${encodeURIComponent(id)}${tab ? `/${tab}` : ''}`,
  account: '/account',
  sessions: '/account/sessions',
  apiKeys: '/account/api-keys',
  secrets: '/account/secrets',
  register: '/register',
  signIn: '/sign-in',
  users: '/users',
  access: '/access',
  rules: '/access/rules',
  registration: '/access/registration',
  providers: '/access/providers',
  audit: '/audit',
}

export function toId(parameter: string): string {
  return decodeURIComponent(parameter)
}
