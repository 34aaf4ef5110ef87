import { Badge, Button, CloseButton, Text } from '@mantine/core'
import { formatCount } from '../../app/format'
import { messages } from '../../app/messages'
import { SearchField } from '../../app/SearchField'
import { useContents } from '../contents'
import type { PictureFilter } from './filter'
import type { PictureList } from './pictureFeed'
import { labelOf } from './problems'
import classes from './FilterBar.module.css'

const words = messages.pictures

interface FilterBarProps {
  filter: PictureFilter
  list: PictureList
  onChange: (changed: Partial<PictureFilter>) => void
  onClear: () => void
}

/** What the pictures below have in common, each with the way out of it. */
export function FilterBar({ filter, list, onChange, onClear }: FilterBarProps) {
  const { problem, bucket, caption, path, sameAs } = filter
  const contents = useContents()
  const numFilters = [problem !== null, bucket !== null, caption !== '', path !== '', sameAs !== null].filter(
    Boolean,
  ).length
  const numShown = list.edges?.length ?? 0
  const total = formatCount(list.totalCount)
  return (
    <div className={classes.bar} role="group" aria-label={contents.filters}>
      <SearchField label={words.caption} search={caption} onSearch={(text) => onChange({ caption: text })} />
      <SearchField label={words.path} search={path} onSearch={(text) => onChange({ path: text })} />
      {problem !== null && <Chip label={labelOf(problem)} onRemove={() => onChange({ problem: null })} />}
      {bucket !== null && <Chip label={bucket.replace('x', ' × ')} onRemove={() => onChange({ bucket: null })} />}
      {sameAs !== null && <Chip label={words.copies} onRemove={() => onChange({ sameAs: null })} />}
      {numFilters > 1 && (
        <Button size="compact-sm" variant="subtle" onClick={onClear}>
          {words.clear}
        </Button>
      )}
      <Text fz="sm" c="dimmed" className={classes.count ?? ''} role="status">
        {list.edges !== undefined &&
          !list.isStale &&
          (numShown < list.totalCount ? contents.numShown(formatCount(numShown), total) : contents.num(total))}
      </Text>
    </div>
  )
}

function Chip({ label, onRemove }: { label: string; onRemove: () => void }) {
  return (
    <Badge
      variant="light"
      size="lg"
      tt="none"
      fw={500}
      rightSection={<CloseButton size={18} aria-label={`${messages.clearSearch}: ${label}`} onClick={onRemove} />}
    >
      {label}
    </Badge>
  )
}
