import { describe, expect, it } from 'vitest'
import { adviseOn, chooseFamily, findFlavour, groupFamilies, isApplied, type Family } from './families'

const FLAVOUR = { key: 'dev', name: 'Dev', baseModel: 'x/dev', isDefault: true, resolution: 1024, terms: null }
const FAMILY: Family = {
  key: 'flux',
  name: 'Flux.1',
  modality: 'image',
  parameters: '12B',
  capabilities: ['lora'],
  packages: [],
  defaultResolution: 1024,
  needsFullPrecision: false,
  quantising: { verdict: 'loses', reason: 'It loses detail.', refused: ['int4'] },
  flavours: [
    { ...FLAVOUR, needsReference: false, settings: [{ key: 'masked', value: true, reason: 'It was made so.' }] },
    { ...FLAVOUR, key: 'krea', name: 'Krea', isDefault: false, needsReference: false, settings: [] },
  ],
  memoryPresets: [],
}
const LATER = { ...FAMILY, key: 'auraflow', name: 'AuraFlow', capabilities: [] }

describe('groupFamilies', () => {
  it('tells what can be trained from what cannot yet', () => {
    const { trainable, later } = groupFamilies([FAMILY, LATER])
    expect([trainable, later]).toEqual([[FAMILY], [LATER]])
  })
  it.each(['flux', 'KREA', 'FLUX.1 '])('finds %s', (search) =>
    expect(groupFamilies([FAMILY], search).trainable).toEqual([FAMILY]),
  )
  it('finds nothing else', () => expect(groupFamilies([FAMILY, LATER], 'sana')).toEqual({ trainable: [], later: [] }))
})

describe('findFlavour', () => {
  it('takes the default where none is named', () => expect(findFlavour(FAMILY, undefined)?.key).toBe('dev'))
  it('finds none of that name', () => expect(findFlavour(FAMILY, 'schnell')).toBeUndefined())
})

describe('chooseFamily', () => {
  it('drops a flavour that the family does not have', () => {
    expect(chooseFamily(FAMILY, 'v0.3')).toEqual({ model_family: 'flux', model_flavour: undefined })
  })
  it('keeps one that it has', () => expect(chooseFamily(FAMILY, 'krea')).toEqual({ model_family: 'flux' }))
})

it('advises at the options that are meant', () => {
  const advice = adviseOn(FAMILY, FAMILY.flavours[0], { setting: (value, reason) => `${String(value)}: ${reason}` })
  expect(advice).toEqual({
    notes: { masked: 'true: It was made so.', base_model_precision: 'It loses detail.' },
    refusedChoices: { base_model_precision: ['int4'] },
  })
})

describe('isApplied', () => {
  const preset = { key: 'light', name: 'Light', description: '', changes: { vae_batch_size: 1, checkpointing: true } }
  const values: Record<string, unknown> = { vae_batch_size: 1, checkpointing: true }
  it('wants every option', () => {
    expect(isApplied(preset, (key) => values[key])).toBe(true)
    expect(isApplied(preset, (key) => (key === 'checkpointing' ? false : values[key]))).toBe(false)
  })
})
