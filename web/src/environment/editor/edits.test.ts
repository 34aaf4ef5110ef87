import { describe, expect, it } from 'vitest'
import {
  contested,
  DATASETS,
  editOption,
  editOptions,
  editsTowards,
  finished,
  keepMine,
  problemsOf,
  readEdits,
  toChanges,
  withEdits,
  withoutDone,
} from './edits'

const CONFIG = { learning_rate: 1e-4, lora_rank: 16, [DATASETS]: ['a', 'b'] }

describe('editOption', () => {
  it('remembers what the option was', () => {
    expect(editOption({}, CONFIG, 'lora_rank', { value: 32 })).toEqual({ lora_rank: { value: 32, base: 16 } })
  })

  it('gives a change up that leads back', () => {
    const edits = editOption({}, CONFIG, 'lora_rank', { value: 32 })
    expect(editOption(edits, CONFIG, 'lora_rank', { value: 16 })).toEqual({})
  })

  it('keeps a value that equals the default of an option that was not set', () => {
    expect(editOption({}, CONFIG, 'seed', { value: 42 })).toEqual({ seed: { value: 42, base: undefined } })
  })

  it('keeps what is on the way to another number', () => {
    const edits = editOption({}, CONFIG, 'lora_rank', { value: 16, text: '16.' })
    expect(edits).toEqual({ lora_rank: { value: 16, text: '16.', base: 16 } })
    expect(withoutDone(edits, CONFIG)).toEqual(edits)
    expect(withoutDone(finished(edits), CONFIG)).toEqual({})
  })

  it('does not take the newest value for what the change was made from', () => {
    const edits = editOption({}, CONFIG, 'lora_rank', { value: 32 })
    expect(editOption(edits, { lora_rank: 8 }, 'lora_rank', { value: 64 }).lora_rank?.base).toBe(16)
  })
})

describe('toChanges', () => {
  it('tells values, options left to their default, and datasets apart', () => {
    const edits = {
      learning_rate: { base: 1e-4 },
      lora_rank: { value: 0, base: 16 },
      variant: { value: null },
      [DATASETS]: { value: ['b'], base: ['a', 'b'] },
    }
    expect(toChanges(edits)).toEqual({
      set: { lora_rank: 0, variant: null },
      unset: ['learning_rate'],
      datasetIds: ['b'],
    })
  })

  it('keeps the datasets when they were not touched', () => expect(toChanges({}).datasetIds).toBeNull())
})

describe('withEdits', () => {
  it('is the configuration as it would be saved', () => {
    const edits = { lora_rank: { base: 16 }, seed: { value: 1 }, learning_rate: { problem: 'no', text: 'x' } }
    expect(withEdits(CONFIG, edits)).toEqual({ learning_rate: 1e-4, seed: 1, [DATASETS]: ['a', 'b'] })
  })
})

describe('editsTowards', () => {
  it('finds what was added, changed and removed, and leaves the datasets', () => {
    const edits = editsTowards({}, CONFIG, { lora_rank: 8, seed: 1 })
    expect(toChanges(edits)).toEqual({ set: { lora_rank: 8, seed: 1 }, unset: ['learning_rate'], datasetIds: null })
  })

  it('takes a key for what it is, whatever objects inherit', () => {
    const edits = editsTowards({}, {}, { constructor: 1 })
    expect(toChanges(edits).set).toEqual({ constructor: 1 })
    expect(withEdits({}, {}).constructor).toBeUndefined()
    expect(toChanges(editsTowards({}, { constructor: 1 }, {})).unset).toEqual(['constructor'])
  })

  it('keeps an edit that says the same', () => {
    const edits = editOption({}, CONFIG, 'lora_rank', { value: 32, text: '32.0' })
    expect(editsTowards(edits, CONFIG, withEdits(CONFIG, edits))).toEqual(edits)
  })
})

it('a preset changes only what is not so already', () => {
  expect(Object.keys(editOptions({}, CONFIG, { lora_rank: 16, train_batch_size: 1 }))).toEqual(['train_batch_size'])
})

describe('changes of others', () => {
  const edits = editOption(editOption({}, CONFIG, 'lora_rank', { value: 32 }), CONFIG, 'seed', { value: 7 })

  it('are contested only where they touch the same option', () => {
    expect(contested(edits, { ...CONFIG, learning_rate: 1 })).toEqual([])
    expect(contested(edits, { ...CONFIG, lora_rank: 8 })).toEqual(['lora_rank'])
  })

  it('are contested where they left the option to its default', () => {
    expect(contested(edits, { learning_rate: 1e-4 })).toEqual(['lora_rank'])
  })

  it('that say the same are no conflict', () => {
    const newest = { ...CONFIG, lora_rank: 32 }
    expect(contested(withoutDone(edits, newest), newest)).toEqual([])
  })

  it('are known once one keeps one’s own', () => {
    const newest = { ...CONFIG, lora_rank: 8 }
    const kept = keepMine(edits, newest, ['lora_rank'])
    expect(contested(kept, newest)).toEqual([])
    expect(toChanges(kept).set).toEqual({ lora_rank: 32, seed: 7 })
  })
})

it('names the options that have no value yet', () => {
  expect(problemsOf({ seed: { problem: 'no number' }, lora_rank: { value: 1 } })).toEqual(['seed'])
})

describe('readEdits', () => {
  it('reads what was kept, also an option left to its default', () => {
    const edits = editOption(editOption({}, CONFIG, 'lora_rank', {}), CONFIG, 'seed', { value: 7 })
    expect(readEdits(JSON.stringify(edits))).toEqual(edits)
  })
  it.each([null, '', '[]', '{"a": 1}', '{'])('takes nothing from %s', (text) => expect(readEdits(text)).toBeNull())
})

it('sends objects in the order that they were written in', () => {
  const edits = editOption({}, {}, 'user_prompt_library', { value: { dog: 'a dog', cat: 'a cat' } })
  expect(toChanges(edits).set).toEqual({ user_prompt_library: '{"dog":"a dog","cat":"a cat"}' })
})
