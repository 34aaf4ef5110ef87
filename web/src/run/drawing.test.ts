import { expect, it } from 'vitest'
import { readDrawingSettings } from './drawing'

it('names what was set, and what the halves of a comparison show', () => {
  const config = {
    validation_num_inference_steps: 20,
    validation_guidance: 4,
    validation_negative_prompt: '',
    use_ema: true,
  }
  const { facts, hasHalves } = readDrawingSettings({
    ...config,
    validation_guidance_real: 1,
    ema_validation: 'comparison',
  })
  expect(facts).toEqual(['steps 20', 'guidance 4'])
  expect(hasHalves).toBe(true)
  expect(readDrawingSettings({ ...config, use_ema: false }).note).toBeNull()
})
