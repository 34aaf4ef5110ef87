import { expect, it } from 'vitest'
import { currentPhase, elapsedSeconds, formatProgress, secondsLeft, type Phase } from './progress'

const phase = (name: string, endedAt: string | null): Phase => ({
  name,
  startedAt: '2026-01-01T00:00:00Z',
  endedAt,
  progress: 0,
  total: null,
})

it('is at the last phase that has not ended', () => {
  const phases = [phase('load_model', '2026-01-01T00:00:01Z'), phase('validate', null)]
  expect(currentPhase(phases)?.name).toBe('validate')
  expect(currentPhase(phases.slice(0, 1))).toBeUndefined()
})

const startedAt = '2026-01-01T00:00:00Z'
const now = Date.parse('2026-01-01T00:01:00Z')

it('counts until now while it runs', () =>
  expect(elapsedSeconds({ state: 'RUNNING', startedAt, endedAt: null }, now)).toBe(60))

it('counts until the end once it has ended', () =>
  expect(elapsedSeconds({ state: 'FINISHED', startedAt, endedAt: '2026-01-01T00:00:30Z' }, now)).toBe(30))

it('counts on after a resume, although an end is recorded', () =>
  expect(elapsedSeconds({ state: 'RUNNING', startedAt, endedAt: '2026-01-01T00:00:30Z' }, now)).toBe(60))

it('knows nothing before the start', () =>
  expect(elapsedSeconds({ state: 'QUEUED', startedAt: null, endedAt: null }, now)).toBeNull())

it('tells the time left at the present pace, once there is one', () => {
  const halfway = { ...phase('encode_images', null), progress: 20, total: 60 }
  expect(secondsLeft(halfway, now)).toBe(120)
  expect(secondsLeft(halfway, Date.parse('2026-01-01T00:00:01Z'))).toBeNull()
  expect(secondsLeft({ ...halfway, total: null }, now)).toBeNull()
})

it('tells bytes of a download, and counts of other phases', () => {
  expect(formatProgress({ ...phase('download_model', null), progress: 1.5e9, total: 24e9 })).toBe('1.5 GB / 24 GB')
  expect(formatProgress({ ...phase('encode_images', null), progress: 20, total: 60 })).toBe('20 / 60')
  expect(formatProgress(phase('save', null))).toBe('')
})
