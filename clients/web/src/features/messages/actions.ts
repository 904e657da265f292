import type { MessageFrame, User } from "@clustertalk/client";

/** What the reader can do with a message that stands in the log. */
export interface Actions {
  readonly reply: (message: MessageFrame) => void;
  readonly edit: (message: MessageFrame, text: string) => void;
  readonly remove: (message: MessageFrame) => void;
  readonly report: (message: MessageFrame) => void;
  /** Not there for who is no moderator. */
  readonly moderate?: (user: User) => void;
  readonly react: (message: MessageFrame, reaction: string, remove: boolean) => void;
}
