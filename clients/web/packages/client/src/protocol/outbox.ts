import { ORIGIN, type RoomCursor } from "./cursor.ts";
import {
  type ChangedFrame,
  type ClientFrame,
  type Entry,
  type ErrorFrame,
  type MessageFrame,
  type Named,
  type Position,
  type Reference,
  type SkippedFrame,
  first,
} from "./frames.ts";
import { ERRORS } from "./generated/codes.ts";

/** How long a delivered command is kept, should a failover lose it after all. */
export const KEPT_MS = 120_000;
/** How many delivered commands are kept at most. */
export const KEPT_ITEMS = 64;
/** How often one command may be answered by `internal` before it is given up. */
export const INTERNAL_TRIES = 3;
/** The pause before a retry for which the server named none. */
const PAUSE_MS = 1_000;

/** What its user asked of a room, and how far it has come. Plain JSON, so that it can be stored as it is. */
export type Command = Asked & Draft & Progress;

/** What is asked of a room, under an id of its own: the frame that asks it. */
export type Asked = Request & { readonly room: string; readonly id: string };

/** What is asked, by the `type` of the frame that asks it. */
export type Request =
  | {
      readonly type: "send";
      readonly text: string;
      readonly reply_to?: Reference;
      readonly mentions?: readonly string[];
    }
  | { readonly type: "edit"; readonly target: Named; readonly text: string }
  | { readonly type: "delete"; readonly target: Named }
  | { readonly type: "react"; readonly target: Named; readonly reaction: string; readonly remove?: boolean };

/** What is remembered of a command beside what it asks. */
export interface Draft {
  /** By the client's clock. */
  readonly created_at_ms: number;
  /** How often it was answered by `internal`. */
  readonly tries: number;
  /** Who sent it, and where he stood in the room; `null` until it is sent for the first time. */
  readonly user: string | null;
  readonly after: Position | null;
}

/**
 * - `waiting`: to be sent, not before `not_before_ms`; `paced` ones at half the announced rate.
 * - `sent`: on `connection`, without an answer.
 * - `acked`: stored at `position`, not yet delivered back.
 * - `delivered`: delivered back; kept for a while, since a failover may lose it.
 * - `uncertain`: sent, but whether it was stored cannot be known any more; the user decides.
 * - `failed`: refused for good.
 */
export type Progress =
  | { readonly state: "waiting"; readonly not_before_ms: number; readonly paced: boolean }
  | { readonly state: "sent"; readonly connection: number }
  | { readonly state: "acked"; readonly position: Position }
  | { readonly state: "delivered"; readonly position: Position; readonly settled_at_ms: number }
  | { readonly state: "uncertain" }
  | { readonly state: "failed"; readonly code: string; readonly message: string };

type Waiting = Extract<Command, { state: "waiting" }>;

const AGAIN: Progress = { state: "waiting", not_before_ms: 0, paced: true };
const UNCERTAIN: Progress = { state: "uncertain" };

/** Who sends, since the last `welcome`. */
interface Sender {
  readonly connection: number;
  readonly user: string;
  /** Between paced commands. */
  readonly pace_ms: number;
}

/**
 * The commands of one user, in the order of their writing. A value: every change is a new one. The
 * rules, and why an acknowledgement settles nothing, stand in `edge-hub/core/src/delivery/outbox.rs`.
 */
export class Outbox {
  readonly commands: readonly Command[];
  private readonly sender: Sender | null;
  /** When the next paced command may be sent. */
  private readonly pacedUntil: number;

  private constructor(commands: readonly Command[], sender: Sender | null, pacedUntil: number) {
    this.commands = commands;
    this.sender = sender;
    this.pacedUntil = pacedUntil;
  }

  /** Begins with what the last run stored. What was on a connection then is on none that there is. */
  static restored(commands: readonly Command[]): Outbox {
    const own = commands.map((command) => (command.state === "sent" ? { ...command, connection: 0 } : command));
    return new Outbox(own, null, 0);
  }

  find(id: string): Command | undefined {
    return this.commands.find((command) => command.id === id);
  }

  /**
   * `ready`: the room is live, so that it may go out at once, unless others wait: then it takes its
   * turn. What `self` deletes is not sent any more; if it never was, there is nothing to delete.
   */
  added(now: number, asked: Asked, ready: boolean, self: string | null): Outbox {
    if (this.find(asked.id) !== undefined) return this;
    const struck =
      asked.type === "delete"
        ? this.commands.filter((command) => concerns(command, asked.room, asked.target, self))
        : [];
    const left = this.keep((command) => !struck.includes(command));
    if (struck.some(({ type, user }) => type === "send" && user === null)) return left;
    const draft = { ...asked, created_at_ms: now, tries: 0, user: null, after: null };
    return left.with([...left.commands, moved(draft, left.asked(asked.room, ready))]);
  }

  /** The user's wish to send a refused or uncertain command again, in his name. */
  retried(id: string, ready: boolean): Outbox {
    return this.map((command) =>
      command.id === id && (command.state === "failed" || command.state === "uncertain")
        ? moved({ ...command, tries: 0, user: null, after: null }, this.asked(command.room, ready))
        : command,
    );
  }

  discarded(id: string): Outbox {
    return this.keep((command) => command.id !== id);
  }

  private asked(room: string, ready: boolean): Progress {
    const behind = this.commands.some((command) => command.room === room && command.state === "waiting");
    return { state: "waiting", not_before_ms: 0, paced: !ready || behind };
  }

  /** A connection is live. What another user sent must not be sent again in this one's name unasked. */
  welcomed(connection: number, user: string, messagesPerSecond: number): Outbox {
    // Half the announced rate leaves room for what is new.
    const sender = { connection, user, pace_ms: Math.ceil(2_000 / Math.max(1, messagesPerSecond)) };
    return new Outbox(this.commands, sender, this.pacedUntil).map((command) =>
      (command.state === "waiting" || command.state === "sent") && isOfAnother(command, sender)
        ? moved(command, UNCERTAIN)
        : command,
    );
  }

  /** What may be sent now, into one of the rooms that are `ready`. In a room nothing overtakes what was written before it. */
  nextToSend(now: number, ready: (room: string) => boolean): Command | undefined {
    return this.firstOfRooms(ready).find((command) => this.dueAt(command) <= now);
  }

  /** When `nextToSend` will have something, if nothing else happens. */
  nextDeadline(ready: (room: string) => boolean): number | null {
    const all = this.firstOfRooms(ready).map((command) => this.dueAt(command));
    return all.length === 0 ? null : Math.min(...all);
  }

  /** The first waiting command of each room. */
  private firstOfRooms(ready: (room: string) => boolean): readonly Waiting[] {
    const firsts = new Map<string, Waiting>();
    for (const command of this.commands) {
      if (command.state !== "waiting" || firsts.has(command.room)) continue;
      if (ready(command.room)) firsts.set(command.room, command);
    }
    return [...firsts.values()];
  }

  private dueAt({ paced, not_before_ms }: Waiting): number {
    return paced ? Math.max(this.pacedUntil, not_before_ms) : not_before_ms;
  }

  /** Transmitted on the connection that was welcomed last. `after` is where the room's cursor stands. */
  sent(now: number, id: string, after: Position): Outbox {
    const { sender } = this;
    const command = this.find(id);
    if (sender === null || command?.state !== "waiting") return this;
    const { connection, user, pace_ms } = sender;
    const pacedUntil = command.paced ? now + pace_ms : this.pacedUntil;
    return new Outbox(this.commands, sender, pacedUntil).map((each) =>
      each === command ? moved({ ...command, user, after }, { state: "sent", connection }) : each,
    );
  }

  /**
   * The server says that it is stored at `position`. That settles only what the room's cursor has
   * passed at this very place, and what was sent to a room that the user left since (`null`).
   */
  acked(now: number, id: string, position: Position, cursor: RoomCursor | null): Outbox {
    const passed = cursor === null || cursor.tagAt(position.seq) === position.tag;
    return this.map((command) => {
      if (command.id !== id || (command.state !== "sent" && command.state !== "acked")) return command;
      return passed ? delivered(now, command, position) : moved(command, { state: "acked", position });
    });
  }

  /** A frame that the server did not take, for no fault of the command's. */
  unsent(id: string): Outbox {
    return this.map((command) =>
      command.id === id && command.state === "sent" ? moved(command, AGAIN) : command,
    );
  }

  refused(now: number, id: string, error: Refusal): Outbox {
    const refused = this.commands.find((command) => command.id === id && command.state === "sent");
    const missing = error.code === "target_missing";
    // What is to be deleted is not there, which is all that was asked.
    if (missing && refused?.type === "delete") return this.discarded(id);
    return this.map((command) => {
      if (command !== refused) return command;
      // A failover lost it, and it is sent again first; or the log is about to tell what became of it.
      if (missing && this.precedes(command)) return moved(command, AGAIN);
      const tries = command.tries + (error.code === "internal" ? 1 : 0);
      if (!isTemporary(error) || tries >= INTERNAL_TRIES) {
        const { code, message } = error;
        return moved({ ...command, tries }, { state: "failed", code, message });
      }
      const not_before_ms = now + (error.retry_after_ms ?? PAUSE_MS);
      return moved({ ...command, tries }, { state: "waiting", not_before_ms, paced: true });
    });
  }

  /** Entries of a room's log that came by: live, in a page, or in an answer to `history`. */
  passed(now: number, entries: readonly Entry[]): Outbox {
    return entries.reduce((outbox: Outbox, entry) => {
      switch (entry.type) {
        case "message":
          return outbox.returned(now, entry);
        case "changed":
          return (entry.change === "delete" ? outbox.deleted(entry) : outbox).returned(now, entry);
        case "skipped":
          return outbox.struck(entry);
      }
    }, this);
  }

  private returned(now: number, { room, id, position, user }: MessageFrame | ChangedFrame): Outbox {
    return this.map((command) =>
      command.id === id && command.room === room && command.user === user.id
        ? delivered(now, command, position)
        : command,
    );
  }

  /** A message that was seen deleted is never sent again, nor is what was asked of it. */
  private deleted({ room, id, user, target }: ChangedFrame): Outbox {
    return this.keep(
      (command) => (command.id === id && command.user === user.id) || !concerns(command, room, target, null),
    );
  }

  /** Whether the message that a change is about is the user's own, and may be sent again. */
  private precedes(change: Command): boolean {
    if (change.type === "send") return false;
    const { room, target, user } = change;
    return this.commands.some(
      (other) =>
        other.type === "send" &&
        other.state !== "failed" &&
        other.state !== "uncertain" &&
        concerns(other, room, target, user),
    );
  }

  /**
   * A stored command whose place holds a tombstone was deleted, and is never sent again. One that
   * lies within a span was removed with its neighbours: whether it was meant, the user decides.
   */
  private struck(skipped: SkippedFrame): Outbox {
    const { room, position } = skipped;
    const isWithin = ({ seq }: Position) => seq >= first(skipped) && seq < position.seq;
    return this.keep((command) => {
      const own = command.room === room ? storedAt(command) : null;
      return own === null || !isSame(own, position);
    }).map((command) =>
      command.room === room && command.state === "acked" && isWithin(command.position)
        ? moved(command, unknown(command))
        : command,
    );
  }

  /**
   * What the room's cursor says of the commands that are said to be stored; `head` where the server
   * told a new truth.
   */
  reviewed(now: number, room: string, cursor: RoomCursor, head: Position | null): Outbox {
    return this.judged(now, room, ({ seq, tag: own }) => {
      if (head !== null && head.seq < seq) return "lost";
      const tag = cursor.tagAt(seq) ?? (head?.seq === seq ? head.tag : undefined);
      if (tag === undefined) return null;
      if (tag !== own) return "lost";
      // The head may be told before the entries that lead to it.
      return seq <= cursor.position.seq ? "kept" : null;
    });
  }

  /**
   * The room's cursor stands on a branch of the log that may not be the one it read before. What was
   * delivered there, and was not passed on this one, is only said to be stored again.
   */
  forked(room: string, cursor: RoomCursor): Outbox {
    return this.map((command) => {
      if (command.room !== room || command.state !== "delivered") return command;
      const { position } = command;
      const passed = cursor.tagAt(position.seq) === position.tag;
      return passed ? command : moved(command, { state: "acked", position });
    });
  }

  /**
   * A room has been read up to its head on the connection that was welcomed last; numbers up to
   * `lostTo` could not be had. What was sent on an earlier connection and did not come by was not
   * stored, unless it was lost with those numbers.
   */
  caughtUp(room: string, lostTo: number | null): Outbox {
    const next = this.map((command) => {
      if (command.room !== room || command.state !== "sent") return command;
      if (command.connection === this.sender?.connection) return command;
      const lost = lostTo !== null && (command.after?.seq ?? 0) < lostTo;
      return moved(command, lost ? unknown(command) : AGAIN);
    });
    return lostTo === null ? next : next.untold(room, lostTo);
  }

  /** The log keeps nothing up to `to`. Of what is said to be stored there nobody can tell any more. */
  untold(room: string, to: number): Outbox {
    return this.map((command) =>
      command.room === room && command.state === "acked" && command.position.seq <= to
        ? moved(command, unknown(command))
        : command,
    );
  }

  /**
   * The room was deleted. Whatever was sent there is gone with its log, and must not be sent again
   * into another room of the same name.
   */
  roomDeleted(room: string): Outbox {
    return this.keep((command) => command.room !== room || command.user === null);
  }

  /**
   * Where commands are said to be that the cursor went by without seeing: between a fork and the
   * newest entries, or so far back that it forgot. `history` decides.
   */
  inDoubt(room: string, cursor: RoomCursor): readonly Position[] {
    const { seq } = cursor.position;
    return this.commands.flatMap((command) => {
      if (command.room !== room || command.state !== "acked") return [];
      const { position } = command;
      return position.seq <= seq && cursor.tagAt(position.seq) === undefined ? [position] : [];
    });
  }

  /**
   * Whether something is said to be stored beyond number `seq`. An edge that stands there for long
   * reads a log that lost it, and nothing will come by: a reason to join again.
   */
  isStoredBeyond(room: string, seq: number): boolean {
    return this.stored(room).some((position) => position.seq > seq);
  }

  /** Where commands were stored, as far as is known. */
  private stored(room: string): readonly Position[] {
    return this.commands.flatMap((command) => {
      const position = command.room === room ? storedAt(command) : null;
      return position === null ? [] : [position];
    });
  }

  /** The log was asked: it holds the positions `kept`, and does not hold those that are `lost`. */
  decided(now: number, room: string, kept: readonly Position[], lost: readonly Position[]): Outbox {
    return this.judged(now, room, (position) => {
      if (lost.some((each) => isSame(each, position))) return "lost";
      return kept.some((each) => isSame(each, position)) ? "kept" : null;
    });
  }

  /**
   * Where to resume a room so that what became of its commands can be seen: before the oldest that
   * is on its way, else at the newest that was delivered.
   */
  resumeAt(room: string): Position | null {
    const own = this.commands.filter((command) => command.room === room);
    const open = own
      .filter((command) => command.state === "sent" || command.state === "acked")
      .map((command) => command.after ?? ORIGIN);
    return ascending(open)[0] ?? ascending(this.stored(room)).at(-1) ?? null;
  }

  /** Forgets what was delivered long ago, or long before the rest. */
  pruned(now: number): Outbox {
    const settled = this.commands.filter((command) => command.state === "delivered");
    const surplus = new Set(settled.slice(0, Math.max(0, settled.length - KEPT_ITEMS)));
    return this.keep(
      (command) =>
        command.state !== "delivered" ||
        (!surplus.has(command) && now - command.settled_at_ms < KEPT_MS),
    );
  }

  private judged(
    now: number,
    room: string,
    judge: (position: Position) => "kept" | "lost" | null,
  ): Outbox {
    return this.map((command) => {
      const position = command.room === room ? storedAt(command) : null;
      switch (position === null ? null : judge(position)) {
        case "kept":
          return position === null ? command : delivered(now, command, position);
        case "lost":
          return moved(command, isOfAnother(command, this.sender) ? UNCERTAIN : AGAIN);
        case null:
          return command;
      }
    });
  }

  private map(change: (command: Command) => Command): Outbox {
    return this.with(this.commands.map(change));
  }

  private keep(condition: (command: Command) => boolean): Outbox {
    return this.with(this.commands.filter(condition));
  }

  /** The same commands stay the same value. */
  private with(commands: readonly Command[]): Outbox {
    const same =
      commands.length === this.commands.length &&
      commands.every((command, index) => command === this.commands[index]);
    return same ? this : new Outbox(commands, this.sender, this.pacedUntil);
  }
}

/** An `error` that answers a command. */
export type Refusal = Pick<ErrorFrame, "code" | "message" | "retry_after_ms">;

/** Whether the same frame may succeed later. */
export function isTemporary(error: Refusal): boolean {
  const code = ERRORS.get(error.code);
  return code === undefined ? error.retry_after_ms !== undefined : code.retry !== "never";
}

/** The frame that sends a command. */
export function frameOf(command: Command): ClientFrame {
  return askedOf(command);
}

/** What a command asks, and nothing else of it. */
function askedOf(command: Asked): Asked {
  const { room, id } = command;
  switch (command.type) {
    case "send": {
      const { type, text, reply_to, mentions } = command;
      return { type, room, id, text, ...(reply_to && { reply_to }), ...(mentions && { mentions }) };
    }
    case "edit": {
      const { type, target, text } = command;
      return { type, room, id, target, text };
    }
    case "delete": {
      const { type, target } = command;
      return { type, room, id, target };
    }
    case "react": {
      const { type, target, reaction, remove } = command;
      return { type, room, id, target, reaction, ...(remove && { remove }) };
    }
  }
}

/** Whether a command sends this message or changes it; one that was never sent is `self`'s. */
function concerns(command: Command, room: string, message: Named, self: string | null): boolean {
  if (command.room !== room) return false;
  const { user, id } = command.type === "send" ? { user: command.user ?? self, id: command.id } : command.target;
  return user === message.user && id === message.id;
}

/** What becomes of a command of which nobody can tell. Deleting twice does no harm, so nobody is asked about it. */
function unknown(command: Command): Progress {
  return command.type === "delete" ? AGAIN : UNCERTAIN;
}

/** Where it was stored, as far as is known. */
function storedAt(command: Command): Position | null {
  return command.state === "acked" || command.state === "delivered" ? command.position : null;
}

/** Whether it was sent, and not by the one who sends now. */
function isOfAnother({ user }: Draft, sender: Sender | null): boolean {
  return user !== null && sender !== null && user !== sender.user;
}

function isSame(one: Position, other: Position): boolean {
  return one.seq === other.seq && one.tag === other.tag;
}

function ascending(positions: readonly Position[]): readonly Position[] {
  return positions.toSorted((one, other) => one.seq - other.seq);
}

/** It stands in the log at `position`. */
function delivered(now: number, command: Command, position: Position): Command {
  if (command.state === "delivered" && isSame(command.position, position)) return command;
  return moved(command, { state: "delivered", position, settled_at_ms: now });
}

/** The command with another progress, and nothing left of the one it had. */
function moved(command: Asked & Draft, progress: Progress): Command {
  const { created_at_ms, tries, user, after } = command;
  return { ...askedOf(command), created_at_ms, tries, user, after, ...progress };
}
