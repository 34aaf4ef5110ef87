import { messages } from '../app/messages'

const words = messages.images

/** How the validation images of a run were drawn, besides prompt, seed and size. */
export interface DrawingSettings {
  /** Each with its name; what the run has not set is left out. */
  facts: string[]
  /** Each picture shows two: with the last weights, and with their average. */
  hasHalves: boolean
  /** What that means, or that the average alone is shown. */
  note: string | null
}

export function readDrawingSettings(config: unknown): DrawingSettings {
  const options = config as Readonly<Record<string, unknown>>
  const facts = [
    fact(words.numSteps, options.validation_num_inference_steps),
    fact(words.guidance, options.validation_guidance),
    fact(words.realGuidance, options.validation_guidance_real, 1),
    fact(words.sampler, options.validation_noise_scheduler),
    fact(words.negative, options.validation_negative_prompt),
  ].filter((each) => each !== null)
  const hasHalves = options.use_ema === true && (options.ema_validation ?? 'comparison') === 'comparison'
  const isAverage = options.use_ema === true && options.ema_validation === 'ema_only'
  return { facts, hasHalves, note: hasHalves ? words.halves : isAverage ? words.averageOnly : null }
}

/** usual: the value that says nothing. */
function fact(name: string, value: unknown, usual?: unknown): string | null {
  const isSaid = (typeof value === 'number' || typeof value === 'string') && value !== '' && value !== usual
  return isSaid ? `${name} ${value}` : null
}
