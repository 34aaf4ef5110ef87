import { en } from './messages.en'

/** All the words of the client. Another language is another object of this shape, chosen here. */
export type Messages = typeof en

export const messages: Messages = en
