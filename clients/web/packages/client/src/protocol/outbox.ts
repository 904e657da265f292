import type { RoomCursor } from "./cursor.ts";
import type { ChangedFrame, Entry, ErrorFrame, MessageFrame, Named, Position, Reference } from "./frames.ts";
import { ERRORS } from "./generated/codes.ts";

/** How long a delivered command is kept, should a failover lose it after all. */
export const KEPT_MS = 120_000;
/** How many delivered commands are kept at most. */
export const KEPT_ITEMS = 64;
/** How often one command may be answered by `internal` before it is given up. */
export const INTERNAL_TRIES = 3;
/** The pause before a retry for which the server named none. */
const PAUSE_MS = 1_000;

/** A message or change on its way. Plain JSON, so that it can be stored as it is. */
export type Command = Request & Draft & Progress;

/** What is asked of a room: the fields of the frame that asks it. */
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

export interface Draft {
  readonly id: string;
  readonly room: string;
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

const AGAIN: Progress = { state: "waiting", not_before_ms: 0, paced: true };

/** The commands of one user, in the order of their writing. A value: every change is a new one. */
export class Outbox {
  readonly commands: readonly Command[];

  constructor(commands: readonly Command[]) {
    this.commands = commands;
  }

  find(id: string): Command | undefined {
    return this.commands.find((command) => command.id === id);
  }

  /** Whether something in `room` waits to be sent, so that what comes next must queue behind it. */
  waits(room: string): boolean {
    return this.commands.some((command) => command.room === room && command.state === "waiting");
  }

  /** What `self` deletes is not sent any more; if it never was, there is nothing to delete. */
  added(command: Command, self: string | null): Outbox {
    if (this.find(command.id)) return this;
    if (command.type !== "delete") return new Outbox([...this.commands, command]);
    const { room, target } = command;
    const struck = this.commands.filter((other) => concerns(other, room, target, self));
    const left = this.keep((other) => !struck.includes(other));
    const unsent = struck.some(({ type, user }) => type === "send" && user === null);
    return unsent ? left : new Outbox([...left.commands, command]);
  }

  /** `after` is where the room's cursor stands. */
  sent(id: string, connection: number, user: string, after: Position): Outbox {
    return this.map((command) =>
      command.id === id ? moved({ ...command, user, after }, { state: "sent", connection }) : command,
    );
  }

  /** `cursor` is the room's, `null` where the user left it. An acknowledgement alone never settles what is still to be passed. */
  acked(now: number, id: string, position: Position, cursor: RoomCursor | null): Outbox {
    const passed = cursor === null || position.seq <= cursor.position.seq;
    const tag = cursor?.tagAt(position.seq);
    // A number too far back to compare comes from the server's dedupe, which looked at the entry.
    const settled = passed && (tag === undefined || tag === position.tag);
    return this.map((command) => {
      if (command.id !== id || command.state === "delivered") return command;
      return settled ? delivered(now, command, position) : moved(command, { state: "acked", position });
    });
  }

  /** A frame that the server did not take, for no fault of the command's. */
  unsent(id: string): Outbox {
    return this.map((command) =>
      command.id === id && command.state === "sent" ? moved(command, AGAIN) : command,
    );
  }

  refused(now: number, error: ErrorFrame): Outbox {
    const refused = this.commands.find(({ id, state }) => id === error.ref && state === "sent");
    const missing = error.code === "target_missing";
    // What is to be deleted is not there, which is all that was asked.
    if (missing && refused?.type === "delete") return this.discarded(refused.id);
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

  /** Entries of a room's log that came by. */
  passed(now: number, entries: readonly Entry[]): Outbox {
    return entries.reduce((outbox: Outbox, entry) => {
      switch (entry.type) {
        case "message":
          return outbox.returned(now, entry);
        case "changed":
          return (entry.change === "delete" ? outbox.deleted(entry) : outbox).returned(now, entry);
        case "skipped":
          return outbox.struck(entry.room, entry.position);
      }
    }, this);
  }

  /** What the log says of commands that were stored; `head` where the server told a new truth. */
  reviewed(now: number, room: string, cursor: RoomCursor, head: Position | null): Outbox {
    return this.map((command) => {
      if (command.room !== room) return command;
      if (command.state !== "acked" && command.state !== "delivered") return command;
      const { position } = command;
      if (head !== null && position.seq > head.seq) return moved(command, AGAIN);
      const tag = cursor.tagAt(position.seq) ?? (head?.seq === position.seq ? head.tag : undefined);
      if (tag === undefined) return command;
      if (tag !== position.tag) return moved(command, AGAIN);
      // The head may be told before the entries that lead to it.
      const passed = position.seq <= cursor.position.seq;
      return command.state === "acked" && passed ? delivered(now, command, position) : command;
    });
  }

  /**
   * A room has been read up to its head on `connection`; numbers up to `lostTo` could not be had.
   * What was sent on an earlier connection and did not come by was not stored, unless it was lost
   * with those numbers. Deleting twice does no harm, so nobody is asked about it.
   */
  caughtUp(room: string, connection: number, cursor: RoomCursor, lostTo: number | null): Outbox {
    return this.map((command) => {
      if (command.room !== room) return command;
      const unknown: Progress = command.type === "delete" ? AGAIN : { state: "uncertain" };
      if (command.state === "sent" && command.connection !== connection) {
        const lost = lostTo !== null && (command.after === null || command.after.seq < lostTo);
        return moved(command, lost ? unknown : AGAIN);
      }
      if (command.state === "acked" && lostTo !== null && command.position.seq <= lostTo) {
        return cursor.tagAt(command.position.seq) === undefined ? moved(command, unknown) : command;
      }
      return command;
    });
  }

  /** Where commands were stored, as far as is known. */
  stored(room: string): readonly Position[] {
    return this.commands.flatMap((command) =>
      command.room === room && (command.state === "acked" || command.state === "delivered")
        ? [command.position]
        : [],
    );
  }

  /** The log left the branch that was read, and `lost` is not in it. */
  forked(room: string, lost: readonly Position[]): Outbox {
    const tags = new Set(lost.map(({ tag }) => tag));
    return this.map((command) =>
      command.room === room &&
      (command.state === "acked" || command.state === "delivered") &&
      tags.has(command.position.tag)
        ? moved(command, AGAIN)
        : command,
    );
  }

  /** What another user sent must not be sent again in this one's name unasked. */
  owned(user: string): Outbox {
    return this.map((command) =>
      command.state === "sent" && command.user !== user ? moved(command, { state: "uncertain" }) : command,
    );
  }

  /** The user's wish to send a refused or uncertain command again. */
  retried(id: string, paced: boolean): Outbox {
    return this.map((command) =>
      command.id === id && (command.state === "failed" || command.state === "uncertain")
        ? moved({ ...command, tries: 0 }, { state: "waiting", not_before_ms: 0, paced })
        : command,
    );
  }

  discarded(id: string): Outbox {
    return this.keep((command) => command.id !== id);
  }

  pruned(now: number): Outbox {
    const settled = this.commands.filter((command) => command.state === "delivered");
    const surplus = new Set(settled.slice(0, Math.max(0, settled.length - KEPT_ITEMS)));
    return this.keep(
      (command) =>
        command.state !== "delivered" ||
        (!surplus.has(command) && now - command.settled_at_ms < KEPT_MS),
    );
  }

  private returned(now: number, entry: MessageFrame | ChangedFrame): Outbox {
    const { room, id, position, user } = entry;
    return this.map((command) => {
      if (command.id !== id || command.room !== room || command.user !== user.id) return command;
      if (command.state === "delivered" && command.position.tag === position.tag) return command;
      return delivered(now, command, position);
    });
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

  /** A stored command whose place holds a tombstone was deleted, and is never sent again. */
  private struck(room: string, position: Position): Outbox {
    return this.keep(
      (command) =>
        command.room !== room ||
        (command.state !== "acked" && command.state !== "delivered") ||
        command.position.seq !== position.seq ||
        command.position.tag !== position.tag,
    );
  }

  private map(change: (command: Command) => Command): Outbox {
    const commands = this.commands.map(change);
    const same = commands.every((command, index) => command === this.commands[index]);
    return same ? this : new Outbox(commands);
  }

  private keep(condition: (command: Command) => boolean): Outbox {
    const commands = this.commands.filter(condition);
    return commands.length === this.commands.length ? this : new Outbox(commands);
  }
}

/** Whether the same frame may succeed later. */
export function isTemporary(error: ErrorFrame): boolean {
  const code = ERRORS.get(error.code);
  return code === undefined ? error.retry_after_ms !== undefined : code.retry !== "never";
}

/** Whether a command sends this message or changes it; one that was never sent is `self`'s. */
function concerns(command: Command, room: string, message: Named, self: string | null): boolean {
  if (command.room !== room) return false;
  const { user, id } = command.type === "send" ? { user: command.user ?? self, id: command.id } : command.target;
  return user === message.user && id === message.id;
}

function delivered(now: number, command: Command, position: Position): Command {
  return moved(command, { state: "delivered", position, settled_at_ms: now });
}

/** The command with another progress, and nothing left of the one it had. */
function moved(command: Request & Draft, progress: Progress): Command {
  const { id, room, created_at_ms, tries, user, after } = command;
  return { ...requestOf(command), id, room, created_at_ms, tries, user, after, ...progress };
}

/** What a command asks, and nothing else of it. */
export function requestOf(command: Request): Request {
  switch (command.type) {
    case "send": {
      const { type, text, reply_to, mentions } = command;
      return { type, text, ...(reply_to && { reply_to }), ...(mentions && { mentions }) };
    }
    case "edit": {
      const { type, target, text } = command;
      return { type, target, text };
    }
    case "delete": {
      const { type, target } = command;
      return { type, target };
    }
    case "react": {
      const { type, target, reaction, remove } = command;
      return { type, target, reaction, ...(remove && { remove }) };
    }
  }
}
