import { type Reaction, reacted } from "./changes.ts";
import type { Moderation, Position, User } from "./frames.ts";
import type { Line, Quote, Said, Sending } from "./lines.ts";
import type { Command } from "./outbox.ts";

/** A message as it stands now: with its newest edit, its reactions, and what its reader asks of it. */
export interface Message {
  /** The same from the first draft to the delivery, and no other message's. */
  readonly key: string;
  readonly id: string;
  readonly user: User;
  readonly text: string;
  /** Milliseconds since 1970: by the server's clock, or the user's own until it is delivered. */
  readonly at: number;
  /**
   * - `waiting` to be sent; `sent`, without an answer; `acked`: stored, and not delivered back yet.
   * - `delivered`: it stands in the log, at its place in the order.
   * - `lost`: a failover of the server lost it; it is shown again where it comes again.
   * - `uncertain`: whether it was stored cannot be known any more.
   * - `failed`: refused for good.
   *
   * Of an `uncertain` or `failed` one the user decides: `retry` or `discard`.
   */
  readonly state: Command["state"] | "lost";
  /** Why it was refused, where it is `failed`. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
  /** Its place in the log, once it is known. */
  readonly position: Position | null;
  readonly editedAt: number | null;
  /** What it answers. */
  readonly quote: Quote | null;
  /** Ids of users. */
  readonly mentions: readonly string[];
  readonly reactions: readonly Reaction[];
  readonly moderation: Moderation | null;
  /** The user's own edits, deletions and reactions on their way, or that did not come through. */
  readonly changes: readonly Command[];
}

/** The messages among the lines of a room. `self` is the user. */
export function messagesOf(lines: readonly Line[], self: User): readonly Message[] {
  return lines.flatMap((line) => {
    if (line.type === "message") return [messageOf(line, self)];
    return line.type === "pending" ? [pendingOf(line, self)] : [];
  });
}

/** A message of the log, with what its reader asked of it as if that had arrived. */
export function messageOf({ key, message, changes, asked, quote, lost }: Said & { readonly key: string }, self: User): Message {
  const { id, user, at, position, mentions = [] } = message;
  const onTheWay = asked.filter(({ state }) => state !== "failed" && state !== "uncertain");
  const edit = onTheWay.findLast((command) => command.type === "edit");
  const reactions = onTheWay.reduce(
    (so, change) => (change.type === "react" ? reacted(so, change.reaction, self, change.remove === true) : so),
    changes.reactions,
  );
  return {
    key,
    id,
    user,
    text: edit?.text ?? changes.edit?.text ?? message.text,
    at,
    state: lost ? "lost" : "delivered",
    refusal: null,
    position,
    editedAt: edit?.created_at_ms ?? changes.edit?.at ?? null,
    quote,
    mentions,
    reactions,
    moderation: edit === undefined ? (changes.edit?.moderation ?? message.moderation) : null,
    changes: asked,
  };
}

function pendingOf({ key, command, quote }: { readonly key: string; readonly command: Sending; readonly quote: Quote | null }, self: User): Message {
  const { id, text, created_at_ms: at, state, user, mentions = [] } = command;
  return {
    key,
    id,
    user: user === null || user === self.id ? self : { id: user, name: user },
    text,
    at,
    state,
    refusal: command.state === "failed" ? { code: command.code, message: command.message } : null,
    position: command.state === "acked" ? command.position : null,
    editedAt: null,
    quote,
    mentions,
    reactions: [],
    moderation: null,
    changes: [],
  };
}
