export type UserState = 'active' | 'waiting' | 'disabled'

export const USER_STATE_COLORS: Record<UserState, string> = { active: 'teal', waiting: 'yellow', disabled: 'gray' }

/** Whether somebody may sign in, and why not. Who was disabled while waiting stays out, whatever is approved. */
export function userState({ disabled, waiting }: { disabled: boolean | null; waiting: boolean | null }): UserState {
  if (disabled) return 'disabled'
  return waiting ? 'waiting' : 'active'
}
