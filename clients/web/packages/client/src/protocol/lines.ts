import { type Changes, UNCHANGED, changesOf, isErasure } from "./changes.ts";
import type { Lost, MessageFrame, Named, Reason, Reference } from "./frames.ts";
import type { Command } from "./outbox.ts";
import { type Item, type Timeline, gaps, hasOlder, oldest } from "./timeline.ts";

/** What stands in one place of a room; `key` stays with it wherever it moves. */
export type Line = { readonly key: string } & (
  | Said
  /** The user's own message that is not delivered back yet. */
  | { readonly type: "pending"; readonly command: Sending; readonly quote: Quote | null }
  /** Where a message stood; `by` is the id of who deleted it. */
  | { readonly type: "deleted"; readonly by: string; readonly author: string }
  /** Numbers that cannot be had any more. */
  | { readonly type: "gone"; readonly lost: Lost; readonly reason: Reason }
  /** Entries before number `before` can be asked for. */
  | { readonly type: "gap"; readonly before: number }
);

/** A message of the log. */
export interface Said {
  readonly type: "message";
  readonly message: MessageFrame;
  readonly changes: Changes;
  /** The user's own changes that are on their way, and those that did not come through. */
  readonly asked: readonly Command[];
  readonly quote: Quote | null;
  /** A failover lost it, and it has not come again. */
  readonly lost: boolean;
}

export type Sending = Extract<Command, { type: "send" }>;

/** What a message answers; `null` for what is not known of it. */
export interface Quote {
  readonly name: string | null;
  readonly text: string | null;
}

/**
 * What the room shows, oldest first, with the unsettled messages of the user, `self`, at the end.
 * `commands` are the room's part of the outbox.
 */
export function linesOf(timeline: Timeline, commands: readonly Command[], self: string): readonly Line[] {
  const { items } = timeline;
  const lines: Line[] = [];
  const shown = new Set<string>();
  const missing = gaps(items);
  const changes = changesOf(items);
  const gone = new Set([...changes.values()].flatMap(({ deletion }) => (deletion === null ? [] : [named(deletion.target)])));
  const quoted = quotes(items, changes);
  const unsettled = commands.filter(({ state }) => state !== "delivered");
  const asked = askedOf(unsettled);
  const before = oldest(timeline);
  if (before !== null && hasOlder(timeline)) lines.push({ key: "older", type: "gap", before });

  for (const [index, item] of items.entries()) {
    const gap = missing[index];
    if (gap != null) lines.push({ key: `gap ${gap.to}`, type: "gap", before: gap.to + 1 });
    if (item.type === "changed") continue;
    if (item.type === "gone") {
      const { lost, reason } = item;
      lines.push({ key: `gone ${lost.from} ${lost.to}`, type: "gone", lost, reason });
      continue;
    }
    const { tag } = item.entry.position;
    const its = changes.get(tag) ?? UNCHANGED;
    if (its.deletion !== null) {
      if (isErasure(its.deletion)) continue;
      const { user, target } = its.deletion;
      lines.push({ key: `deleted ${tag}`, type: "deleted", by: user.id, author: target.user });
      continue;
    }
    if (item.type === "skipped") continue;
    const { entry: message, lost } = item;
    const name = named({ user: message.user.id, id: message.id });
    // Lost by a failover, sent again, and deleted there.
    if (lost && gone.has(name)) continue;
    const quote = message.reply_to === undefined ? null : quoted(message.reply_to);
    const key = `${lost ? "lost" : "message"} ${name}`;
    shown.add(key);
    lines.push({ key, type: "message", message, changes: its, asked: asked.get(name) ?? NONE, quote, lost });
  }

  for (const command of unsettled) {
    if (command.type !== "send") continue;
    const key = `message ${named({ user: command.user ?? self, id: command.id })}`;
    // While it is not known whether a failover took it, it is shown where it was.
    if (shown.has(key)) continue;
    const quote = command.reply_to === undefined ? null : quoted(command.reply_to);
    lines.push({ key, type: "pending", command, quote });
  }
  return lines;
}

const NONE: readonly Command[] = [];

/** The changes on their way, by the message that they are about. */
function askedOf(commands: readonly Command[]): ReadonlyMap<string, readonly Command[]> {
  const asked = new Map<string, readonly Command[]>();
  for (const command of commands) {
    if (command.type === "send") continue;
    const target = named(command.target);
    asked.set(target, [...(asked.get(target) ?? NONE), command]);
  }
  return asked;
}

/** Finds what is answered among that which was read. */
function quotes(items: readonly Item[], changes: ReadonlyMap<string, Changes>): (reference: Reference) => Quote {
  const messages = items.flatMap((item) => (item.type === "message" ? [item.entry] : []));
  const byTag = new Map(messages.map((message) => [message.position.tag, message]));
  const byName = new Map(messages.map((message) => [named({ user: message.user.id, id: message.id }), message]));
  return (reference) => {
    const found = "tag" in reference ? byTag.get(reference.tag) : byName.get(named(reference));
    if (found === undefined) return { name: "user" in reference ? reference.user : null, text: null };
    const { edit, deletion } = changes.get(found.position.tag) ?? UNCHANGED;
    return { name: found.user.name, text: deletion === null ? (edit?.text ?? found.text) : null };
  };
}

function named({ user, id }: Named): string {
  return `${user} ${id}`;
}
