import { expect, it } from 'vitest'
import { plan } from './resumption'

const run = { step: 100, totalSteps: 100, isFinished: true, learningRate: 1e-3, steps: [100, 80, 60] }

it('says what comes again and what is set aside', () => {
  const { changes, notes, problems, input } = plan(run, { fromStep: 60, learningRate: '5e-4', length: '90' })
  expect(changes).toEqual([
    { name: 'Learning rate', before: '0.001', after: '0.0005' },
    { name: 'Length in steps', before: '100', after: '90' },
  ])
  expect(notes[0]).toBe('Steps 61 to 90 are trained again.')
  expect(notes[1]).toContain('80, 100')
  expect([problems, input]).toEqual([{}, { fromStep: 60, learningRate: 5e-4, maxTrainSteps: 90 }])
})

it('sends nothing that is as it was', () => {
  const { changes, input } = plan(
    { ...run, step: 80, isFinished: false, steps: [80, 60] },
    {
      fromStep: 80,
      learningRate: '0.001',
      length: '',
    },
  )
  expect([changes, input]).toEqual([[], { fromStep: null, learningRate: null, maxTrainSteps: null }])
})

it('refuses what leads nowhere and what is no number', () => {
  expect(Object.keys(plan(run, { fromStep: 100, learningRate: '', length: '' }).problems)).toEqual(['length'])
  expect(Object.keys(plan(run, { fromStep: 80, learningRate: '0', length: '80' }).problems)).toEqual([
    'learningRate',
    'length',
  ])
  expect(Object.keys(plan(run, { fromStep: 60, learningRate: 'x', length: '70.5' }).problems)).toEqual([
    'learningRate',
    'length',
  ])
})
