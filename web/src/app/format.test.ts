import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  formatDuration,
  formatMetric,
  formatName,
  formatPercent,
  formatRelative,
  formatSpeed,
  toSentence,
} from './format'

describe('formatDuration', () => {
  it.each([
    [0, '0 s'],
    [45.4, '45 s'],
    [59.6, '1 min 00 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 05 min'],
    [100_800, '1 d 4 h'],
  ])('%d seconds', (seconds, text) => expect(formatDuration(seconds)).toBe(text))

  it('shows a dash for what is unknown', () => {
    expect([null, undefined, NaN, Infinity].map(formatDuration)).toEqual(['–', '–', '–', '–'])
  })
})

describe('formatPercent', () => {
  it('does not say 100 % before the end', () => expect(formatPercent(0.999)).toBe('99 %'))
  it('says 100 % at the end', () => expect(formatPercent(1)).toBe('100 %'))
  it('stays in bounds', () => expect([-1, 2, NaN].map(formatPercent)).toEqual(['0 %', '100 %', '0 %']))
})

describe('formatMetric', () => {
  it.each([
    [0, '0.0000'],
    [0.03124, '0.0312'],
    [0.0001, '1.00e-4'],
    [12.345, '12.35'],
    [1234.5, '1235'],
    [123456, '1.23e+5'],
  ])('%d', (value, text) => expect(formatMetric(value)).toBe(text))

  it('shows a dash for a value that is no number', () => expect(formatMetric(NaN)).toBe('–'))
})

describe('formatSpeed', () => {
  it('counts steps when fast', () => expect(formatSpeed(3.2)).toBe('3.20 steps/s'))
  it('counts seconds when slow', () => expect(formatSpeed(0.25)).toBe('4.00 s/step'))
  it('shows a dash before the first step', () => expect(formatSpeed(0)).toBe('–'))
})

describe('formatBytes', () => {
  it.each([
    [512, '512 B'],
    [1_234_567, '1.23 MB'],
    [6_900_000_000, '6.9 GB'],
  ])('%d', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
})

describe('formatRelative', () => {
  const now = Date.UTC(2026, 0, 31, 12)
  it.each([
    [0, 'now'],
    [42, '40 seconds ago'],
    [90, '1 minute ago'],
    [3 * 3600, '3 hours ago'],
    [26 * 3600, 'yesterday'],
    [40 * 86_400, 'last month'],
  ])('%d seconds earlier', (seconds, text) => expect(formatRelative(now - seconds * 1000, now)).toBe(text))
})

describe('formatName', () => {
  it('prefers the known name', () => expect(formatName('loss', { loss: 'Loss' })).toBe('Loss'))
  it('makes words of the others', () => expect(formatName('grad_norm', {})).toBe('Grad norm'))
})

describe('toSentence', () => {
  it.each([
    ['that name is taken', 'That name is taken'],
    ['learning_rate must be above 0', 'learning_rate must be above 0'],
    ['/data/x does not exist', '/data/x does not exist'],
    ['Already good', 'Already good'],
  ])('%s', (message, sentence) => expect(toSentence(message)).toBe(sentence))
})
