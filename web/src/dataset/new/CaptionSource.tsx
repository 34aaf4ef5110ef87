import { Radio, Stack, TextInput } from '@mantine/core'
import { messages } from '../../app/messages'
import type { Kind } from './clips'

export const STRATEGIES = ['textfile', 'filename', 'instanceprompt'] as const
export type Strategy = (typeof STRATEGIES)[number]

interface CaptionSourceProps {
  kind: Kind
  strategy: Strategy
  prompt: string
  problem: string | undefined
  onStrategy: (strategy: Strategy) => void
  onPrompt: (prompt: string) => void
}

/** Where the captions come from, each way in a sentence. */
export function CaptionSource({ kind, strategy, prompt, problem, onStrategy, onPrompt }: CaptionSourceProps) {
  const words = messages.newDataset.captions[kind]
  return (
    <Radio.Group label={words.title} value={strategy} onChange={onStrategy}>
      <Stack gap="sm" mt="xs">
        {STRATEGIES.map((each) => (
          <Radio key={each} value={each} label={words.sources[each]} description={words.hints[each]} />
        ))}
        {strategy === 'instanceprompt' && (
          <TextInput
            label={words.prompt}
            description={messages.newDataset.promptHint}
            maw={480}
            ml={30}
            value={prompt}
            error={problem}
            onChange={(event) => onPrompt(event.currentTarget.value)}
          />
        )}
      </Stack>
    </Radio.Group>
  )
}
