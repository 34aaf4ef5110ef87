export interface Right {
  name: string
  description: string
}

export interface RightGroup<Each extends Right> {
  key: string
  rights: Each[]
}

const GROUPS: Record<string, string> = { paths: 'machine', scripts: 'machine', secrets: 'machine' }

/** Permissions by what they are about: the first part of the name, with what concerns the machine as one. */
export function groupRights<Each extends Right>(rights: readonly Each[]): RightGroup<Each>[] {
  const groups = new Map<string, Each[]>()
  for (const right of rights) {
    const [first = ''] = right.name.split('.')
    const key = GROUPS[first] ?? first
    groups.set(key, [...(groups.get(key) ?? []), right])
  }
  return [...groups].map(([key, members]) => ({ key, rights: members }))
}

/** name: a permission, or a pattern such as job.* or *. */
export function isCovered(permission: string, name: string): boolean {
  if (name === '*') return true
  return name.endsWith('.*') ? permission.startsWith(name.slice(0, -1)) : permission === name
}

export function expand(names: readonly string[], all: readonly string[]): Set<string> {
  return new Set(all.filter((permission) => names.some((name) => isCovered(permission, name))))
}

/** Chosen permissions as they are stored: a pattern that was there stays while all that it covers is still chosen. */
export function keepPatterns(chosen: ReadonlySet<string>, before: readonly string[], all: readonly string[]): string[] {
  const kept = before.filter((name) => name.includes('*') && [...expand([name], all)].every((each) => chosen.has(each)))
  const singles = [...chosen].filter((permission) => !kept.some((name) => isCovered(permission, name)))
  return [...kept, ...singles].sort()
}

/** Whether somebody could give this to others: nobody can give more than they have. */
export function isWithinReach(names: readonly string[], all: readonly string[], reach: readonly string[]): boolean {
  return [...expand(names, all)].every((permission) => reach.includes(permission))
}

interface Rights {
  levels: readonly string[]
  grants: readonly string[]
  denials: readonly string[]
}

/** What levels, grants and denials come to; denials win. */
export function effectiveRights(
  { levels, grants, denials }: Rights,
  allLevels: readonly { name: string; permissions: readonly string[] }[],
  all: readonly string[],
): string[] {
  const ofLevels = allLevels.filter(({ name }) => levels.includes(name)).flatMap(({ permissions }) => permissions)
  const denied = expand(denials, all)
  return [...expand([...ofLevels, ...grants], all)].filter((permission) => !denied.has(permission))
}
