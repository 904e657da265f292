import type { MessageFrame } from "@clustertalk/client";

/** What the reader can do with a message that stands in the log. */
export interface Actions {
  readonly reply: (message: MessageFrame) => void;
  readonly edit: (message: MessageFrame, text: string) => void;
  readonly remove: (message: MessageFrame) => void;
  readonly react: (message: MessageFrame, reaction: string, remove: boolean) => void;
}
