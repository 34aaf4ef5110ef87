import { Progress } from '@mantine/core'
import { formatBytes, formatName } from '../../app/format'
import { messages } from '../../app/messages'
import { toBars, type Bar, type Preflight } from './preflight'
import classes from './PreflightPanel.module.css'

const words = messages.preflight

/** Memory of each phase and room on the disk, against what there is. */
export function Needs({ memory, disk }: Pick<Preflight, 'memory' | 'disk'>) {
  if (memory === null && disk === null) return null
  return (
    <div className={classes.needs}>
      {memory && <Memory memory={memory} />}
      {disk && <Disk disk={disk} />}
    </div>
  )
}

function Memory({ memory }: { memory: NonNullable<Preflight['memory']> }) {
  const { perPhase, availableBytes } = memory
  const bars = toBars(
    perPhase.map(({ bytes }) => bytes),
    availableBytes,
  )
  return (
    <section>
      <h3>
        {words.memory}
        <small>
          {availableBytes === null ? words.memoryUnknown : words.memoryAvailable(formatBytes(availableBytes))}
        </small>
      </h3>
      {perPhase.map(({ phase, bytes, unknown }, place) => (
        <Need
          key={phase}
          name={formatName(phase, words.phases)}
          amount={unknown.length > 0 ? words.atLeast(formatBytes(bytes)) : formatBytes(bytes)}
          hint={unknown.length > 0 ? words.without(unknown.join(', ')) : null}
          bar={bars[place]}
        />
      ))}
    </section>
  )
}

function Disk({ disk }: { disk: NonNullable<Preflight['disk']> }) {
  const { neededBytes, freeBytes } = disk
  const [bar] = toBars([neededBytes], freeBytes)
  return (
    <section>
      <h3>
        {words.disk}
        <small>{freeBytes === null ? words.diskUnknown : words.diskFree(formatBytes(freeBytes))}</small>
      </h3>
      <Need name={words.diskNeeded} amount={formatBytes(neededBytes)} hint={null} bar={bar} />
    </section>
  )
}

interface NeedProps {
  name: string
  amount: string
  hint: string | null
  bar: Bar | undefined
}

function Need({ name, amount, hint, bar }: NeedProps) {
  const isTooLarge = bar?.isTooLarge ?? false
  return (
    <div className={classes.need}>
      <div>
        <span>{name}</span>
        <span data-too-large={isTooLarge || undefined}>
          {isTooLarge && `${words.tooMuch}: `}
          {amount}
        </span>
      </div>
      <Progress size="sm" value={(bar?.share ?? 0) * 100} color={isTooLarge ? 'red' : 'brand'} aria-hidden />
      {hint !== null && <small>{hint}</small>}
    </div>
  )
}
