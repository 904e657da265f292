import type { Line, MessageFrame } from "@clustertalk/client";
import { midnight } from "../../lib/clock";

/** Messages of one author stand together when no more time than this lies between them. */
const TOGETHER_MS = 5 * 60_000;

/** A line of the room, or the day of those that follow; `opens` is where an author begins. */
export type Row =
  | { readonly key: string; readonly type: "day"; readonly at: number }
  | (Extract<Line, { type: "message" | "pending" }> & { readonly opens: boolean })
  | Exclude<Line, { type: "message" | "pending" }>;

/** Puts the messages of a day and of an author together. `self` is the user's id. */
export function rowsOf(lines: readonly Line[], self: string | null): readonly Row[] {
  const rows: Row[] = [];
  let last: MessageFrame | null = null;
  /** Something that nobody said stands before the next message. */
  let apart = false;
  /** The user's own, at the end. */
  let pending = false;
  for (const line of lines) {
    switch (line.type) {
      case "gap":
      case "gone":
        last = null;
        rows.push(line);
        break;
      case "deleted":
        apart = true;
        rows.push(line);
        break;
      case "message": {
        const { message } = line;
        const { at, user, position } = message;
        if (last === null || midnight(last.at) !== midnight(at)) {
          rows.push({ key: `day ${at} ${position.tag}`, type: "day", at });
          last = null;
        }
        const opens = apart || last?.user.id !== user.id || at - last.at > TOGETHER_MS;
        rows.push({ ...line, opens });
        last = message;
        apart = false;
        break;
      }
      case "pending":
        rows.push({ ...line, opens: !pending && last?.user.id !== self });
        pending = true;
    }
  }
  return rows;
}
