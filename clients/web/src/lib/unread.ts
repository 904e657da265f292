import type { MessageFrame, RoomSnapshot } from "@clustertalk/client";
import { mentions } from "./names";

/** What came into a room that its reader has not seen. */
export interface Unread {
  readonly count: number;
  /** Whether one of them is for him. */
  readonly mentioned: boolean;
}

export const NOTHING_UNREAD: Unread = { count: 0, mentioned: false };

/** The messages of others above number `read`. */
export function unreadOf({ lines }: Pick<RoomSnapshot, "lines">, read: number, self: string): Unread {
  let count = 0;
  let mentioned = false;
  for (const line of lines.toReversed()) {
    if (line.type !== "message" || line.lost) continue;
    if (line.message.position.seq <= read) break;
    if (line.message.user.id === self) continue;
    count += 1;
    mentioned ||= isFor(line.message, self);
  }
  return { count, mentioned };
}

/** Whether a message names its reader. */
export function isFor(message: Pick<MessageFrame, "mentions" | "text">, self: string): boolean {
  return message.mentions?.includes(self) === true || mentions(message.text, [self]).length > 0;
}
