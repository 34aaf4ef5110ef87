import { PasswordInput, type PasswordInputProps } from '@mantine/core'
import { messages } from '../app/messages'

/** A password that is being chosen: with the rule, and with a button that shows what was typed. */
export function NewPasswordInput(props: PasswordInputProps) {
  return (
    <PasswordInput
      description={messages.password.rule}
      autoComplete="new-password"
      visibilityToggleButtonProps={{ 'aria-label': messages.password.show }}
      {...props}
    />
  )
}
