import { useState } from 'react'
import { useLocation } from 'wouter'
import { routes } from '../app/routes'
import { StartTrainingDocument } from '../graphql/generated/documents'
import { createIdempotencyKey } from '../graphql/idempotencyKey'
import { useAction } from '../graphql/useAction'

interface StartTraining {
  start: (environmentId: string) => Promise<void>
  isBusy: boolean
  problem: string | null
}

/** Start an environment's training and go to its run. Trying again after a lost answer starts no second run. */
export function useStartTraining(): StartTraining {
  const [idempotencyKey, setIdempotencyKey] = useState(createIdempotencyKey)
  const [, navigate] = useLocation()
  const action = useAction(StartTrainingDocument)

  async function start(environmentId: string) {
    const payload = await action.act({ environmentId, idempotencyKey: `${idempotencyKey}:${environmentId}` })
    if (!payload?.run) return
    setIdempotencyKey(createIdempotencyKey())
    navigate(routes.run(payload.run.id))
  }

  return { start, isBusy: action.isBusy, problem: action.problem }
}
