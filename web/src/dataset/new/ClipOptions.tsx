import { Checkbox, Group, NumberInput, Stack } from '@mantine/core'
import { messages } from '../../app/messages'
import type { Clips } from './clips'

const words = messages.clips
const MOST_FRAMES = 4096

interface ClipOptionsProps {
  clips: Clips
  problem: string | undefined
  onChange: (clips: Clips) => void
}

/** How long the clips are that training takes of videos. */
export function ClipOptions({ clips, problem, onChange }: ClipOptionsProps) {
  return (
    <Stack gap="sm">
      <NumberInput
        label={words.numFrames}
        description={words.numFramesHint}
        placeholder={words.usual}
        maw={400}
        min={1}
        max={MOST_FRAMES}
        allowDecimal={false}
        value={clips.numFrames ?? ''}
        error={problem}
        onChange={(value) => onChange({ ...clips, numFrames: toFrames(value) })}
      />
      <Checkbox
        label={words.isAsLong}
        description={words.isAsLongHint}
        checked={clips.isAsLong}
        onChange={(event) => onChange({ ...clips, isAsLong: event.currentTarget.checked })}
      />
      {clips.isAsLong && (
        <Group ml={30}>
          <NumberInput
            label={words.minFrames}
            placeholder="1"
            w={240}
            min={1}
            max={MOST_FRAMES}
            allowDecimal={false}
            value={clips.minFrames ?? ''}
            onChange={(value) => onChange({ ...clips, minFrames: toFrames(value) })}
          />
        </Group>
      )}
    </Stack>
  )
}

function toFrames(value: string | number): number | null {
  return typeof value === 'number' ? value : null
}
