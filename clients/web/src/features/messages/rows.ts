import { midnight } from "../../lib/clock";
import type { Lost, MessageFrame, Reason } from "../../protocol/frames";
import type { Command } from "../../protocol/outbox";
import { type Timeline, gaps, span } from "../../protocol/timeline";

/** Messages of one author stand together when no more time than this lies between them. */
const TOGETHER_MS = 5 * 60_000;

/** A line of the room; `key` stays with it wherever it moves. */
export type Row = { readonly key: string } & (
  | { readonly type: "day"; readonly at: number }
  | { readonly type: "message"; readonly message: MessageFrame; readonly lost: boolean; readonly opens: boolean }
  | { readonly type: "gone"; readonly lost: Lost; readonly reason: Reason }
  /** Entries before number `before` can be asked for. */
  | { readonly type: "gap"; readonly before: number }
  | { readonly type: "pending"; readonly command: Command; readonly opens: boolean }
);

/** What the room shows, oldest first, with the user's own unsettled messages at the end. */
export function rowsOf({ items, more }: Timeline, commands: readonly Command[], self: string | null): readonly Row[] {
  const rows: Row[] = [];
  const shown = new Set<string>();
  const missing = gaps(items);
  const oldest = items[0] === undefined ? 1 : span(items[0]).from;
  if (more !== false && oldest > 1) rows.push({ key: "older", type: "gap", before: oldest });

  let last: MessageFrame | null = null;
  for (const [index, item] of items.entries()) {
    const gap = missing[index];
    if (gap != null) {
      rows.push({ key: "gap " + String(gap.to), type: "gap", before: gap.to + 1 });
      last = null;
    }
    if (item.type === "skipped") continue;
    if (item.type === "gone") {
      const { lost, reason } = item;
      rows.push({ key: `gone ${lost.from} ${lost.to}`, type: "gone", lost, reason });
      last = null;
      continue;
    }
    const { entry: message, lost } = item;
    if (last === null || midnight(last.at) !== midnight(message.at)) {
      rows.push({ key: `day ${message.at} ${message.position.tag}`, type: "day", at: message.at });
      last = null;
    }
    const opens = last?.user.id !== message.user.id || message.at - last.at > TOGETHER_MS;
    const key = keyOf(message.user.id, message.id, lost);
    shown.add(key);
    rows.push({ key, type: "message", message, lost, opens });
    last = message;
  }

  // While it is not known whether a failover took it, a message is shown where it was.
  const pending = commands.map((command) => ({ key: keyOf(command.user ?? self ?? "", command.id, false), command }));
  for (const [index, { key, command }] of pending.filter((each) => !shown.has(each.key)).entries()) {
    const opens = index === 0 && (last === null || last.user.id !== self);
    rows.push({ key, type: "pending", command, opens });
  }
  return rows;
}

function keyOf(user: string, id: string, lost: boolean): string {
  return `${lost ? "lost" : "message"} ${user} ${id}`;
}
