import { midnight } from "../../lib/clock.ts";
import { type Changes, UNCHANGED, changesOf } from "../../protocol/changes.ts";
import type { Lost, MessageFrame, Named, Reason, Reference } from "../../protocol/frames.ts";
import type { Command } from "../../protocol/outbox.ts";
import { type Item, type Timeline, gaps, span } from "../../protocol/timeline.ts";

/** Messages of one author stand together when no more time than this lies between them. */
const TOGETHER_MS = 5 * 60_000;

/** A line of the room; `key` stays with it wherever it moves. */
export type Row = { readonly key: string } & (
  | { readonly type: "day"; readonly at: number }
  | {
      readonly type: "message";
      readonly message: MessageFrame;
      readonly changes: Changes;
      /** The user's own changes that are on their way. */
      readonly asked: readonly Command[];
      readonly quote: Quote | null;
      readonly lost: boolean;
      readonly opens: boolean;
    }
  /** Where a message stood; `by` is the id of who deleted it. */
  | { readonly type: "deleted"; readonly by: string; readonly author: string }
  | { readonly type: "gone"; readonly lost: Lost; readonly reason: Reason }
  /** Entries before number `before` can be asked for. */
  | { readonly type: "gap"; readonly before: number }
  | { readonly type: "pending"; readonly command: Sending; readonly quote: Quote | null; readonly opens: boolean }
);

type Sending = Extract<Command, { type: "send" }>;

/** What a message answers; `null` for what is not known of it. */
export interface Quote {
  readonly name: string | null;
  readonly text: string | null;
}

/** What the room shows, oldest first, with the user's own unsettled messages at the end. */
export function rowsOf({ items, more }: Timeline, commands: readonly Command[], self: string | null): readonly Row[] {
  const rows: Row[] = [];
  const missing = gaps(items);
  const changes = changesOf(items);
  const gone = new Set([...changes.values()].flatMap(({ deletion }) => (deletion === null ? [] : [named(deletion.target)])));
  const quoted = quotes(items, changes);
  const asked = askedOf(commands);
  const oldest = items[0] === undefined ? 1 : span(items[0]).from;
  if (more !== false && oldest > 1) rows.push({ key: "older", type: "gap", before: oldest });

  let last: MessageFrame | null = null;
  /** Something that nobody said stands before the next message. */
  let apart = false;
  for (const [index, item] of items.entries()) {
    const gap = missing[index];
    if (gap != null) {
      rows.push({ key: "gap " + String(gap.to), type: "gap", before: gap.to + 1 });
      last = null;
    }
    if (item.type === "changed") continue;
    if (item.type === "gone") {
      const { lost, reason } = item;
      rows.push({ key: `gone ${lost.from} ${lost.to}`, type: "gone", lost, reason });
      last = null;
      continue;
    }
    const { tag } = item.entry.position;
    const its = changes.get(tag) ?? UNCHANGED;
    if (its.deletion !== null) {
      const { user, target } = its.deletion;
      rows.push({ key: `deleted ${tag}`, type: "deleted", by: user.id, author: target.user });
      apart = true;
      continue;
    }
    if (item.type === "skipped") continue;
    const { entry: message, lost } = item;
    // Lost by a failover, sent again, and deleted there.
    if (lost && gone.has(named({ user: message.user.id, id: message.id }))) continue;
    if (last === null || midnight(last.at) !== midnight(message.at)) {
      rows.push({ key: `day ${message.at} ${tag}`, type: "day", at: message.at });
      last = null;
    }
    const opens = apart || last?.user.id !== message.user.id || message.at - last.at > TOGETHER_MS;
    const quote = message.reply_to === undefined ? null : quoted(message.reply_to);
    const key = keyOf(message.user.id, message.id, lost);
    const open = asked.get(named({ user: message.user.id, id: message.id })) ?? NONE;
    rows.push({ key, type: "message", message, changes: its, asked: open, quote, lost, opens });
    last = message;
    apart = false;
  }

  const sending = commands.filter((command) => command.type === "send");
  for (const [index, command] of sending.entries()) {
    const opens = index === 0 && (last === null || last.user.id !== self);
    const quote = command.reply_to === undefined ? null : quoted(command.reply_to);
    rows.push({ key: keyOf(command.user ?? self ?? "", command.id, false), type: "pending", command, quote, opens });
  }
  return rows;
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

function keyOf(user: string, id: string, lost: boolean): string {
  return `${lost ? "lost" : "message"} ${named({ user, id })}`;
}
