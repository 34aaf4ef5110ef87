import { expect, it } from 'vitest'
import { suggestStrategy } from './strategy'

it.each([
  [['a.png', 'b.png'], 'instanceprompt'],
  [['a.mp4'], 'instanceprompt'],
  [['a.png', 'a.txt'], 'textfile'],
  [['a.mp4', 'a.txt'], 'textfile'],
  [['cats.zip'], 'textfile'],
  [[], 'textfile'],
])('%j', (names, strategy) => expect(suggestStrategy(names)).toBe(strategy))
