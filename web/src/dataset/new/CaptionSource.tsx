import { Radio, Stack, TextInput } from '@mantine/core'
import { messages } from '../../app/messages'

const words = messages.newDataset
export const STRATEGIES = ['textfile', 'filename', 'instanceprompt'] as const
export type Strategy = (typeof STRATEGIES)[number]

interface CaptionSourceProps {
  strategy: Strategy
  prompt: string
  problem: string | undefined
  onStrategy: (strategy: Strategy) => void
  onPrompt: (prompt: string) => void
}

/** Where the captions come from, each way in a sentence. */
export function CaptionSource({ strategy, prompt, problem, onStrategy, onPrompt }: CaptionSourceProps) {
  return (
    <Radio.Group label={words.captions} value={strategy} onChange={onStrategy}>
      <Stack gap="sm" mt="xs">
        {STRATEGIES.map((each) => (
          <Radio key={each} value={each} label={words.sources[each]} description={words.sourceHints[each]} />
        ))}
        {strategy === 'instanceprompt' && (
          <TextInput
            label={words.prompt}
            description={words.promptHint}
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
