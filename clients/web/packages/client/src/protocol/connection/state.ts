import type { RoomCursor } from "../cursor.ts";
import type {
  ClientFrame,
  Entry,
  Limits,
  Lost,
  Management,
  Position,
  Reason,
  Role,
  RoomFrame,
  RoomSummary,
  ServerFrame,
  User,
} from "../frames.ts";
import type { Command, Outbox, Request } from "../outbox.ts";

/** How long the server may take to accept, to welcome, to answer a join or a ping. */
export const ANSWER_MS = 10_000;

/** The moment of an input: milliseconds since 1970, and a random number from 0 up to 1. */
export interface Now {
  readonly at_ms: number;
  readonly random: number;
}

/** Everything that can happen. Inputs of an earlier connection are ignored. */
export type Input =
  | {
      /** The first input: what the last run left behind. */
      readonly type: "started";
      /** The name asked for; `null` where tokens say who speaks. */
      readonly user: string | null;
      readonly token: string | null;
      /** Whether `want_token` is answered. */
      readonly tokens?: boolean;
      readonly rooms: readonly string[];
      readonly outbox: readonly Command[];
    }
  | { readonly type: "opened"; readonly connection: number }
  | { readonly type: "frame"; readonly connection: number; readonly frame: ServerFrame }
  | { readonly type: "closed"; readonly connection: number; readonly code: number }
  | { readonly type: "timer" }
  | { readonly type: "network"; readonly online: boolean }
  /** The answer to `want_token`, or a newer one unasked; `null`: it is not to be had at the moment. */
  | { readonly type: "token"; readonly token: string | null }
  | UserInput;

/** What the user asks for. Ids are chosen by the caller, 26 characters in the manner of ULIDs. */
export type UserInput =
  | (Request & { readonly room: string; readonly id: string })
  | { readonly type: "retry"; readonly id: string }
  | { readonly type: "discard"; readonly id: string }
  /** `since`: from a position that an earlier run has read to. */
  | { readonly type: "join"; readonly room: string; readonly since?: Position }
  | { readonly type: "leave"; readonly room: string }
  | { readonly type: "typing"; readonly room: string }
  /** The user has read up to that number; 0 only asks how far he has. */
  | { readonly type: "read"; readonly room: string; readonly seq: number }
  /** Asks something about rooms or users; `answered` tells what became of it. It is not kept. */
  | { readonly type: "manage"; readonly id: string; readonly management: Management }
  | { readonly type: "history"; readonly room: string; readonly before: number }
  | { readonly type: "rename"; readonly user: string }
  | { readonly type: "reconnect" };

/** What the outside must do, in this order. */
export type Effect =
  /** Store the commands before anything that follows. */
  | { readonly type: "persist_outbox"; readonly commands: readonly Command[] }
  | { readonly type: "connect"; readonly connection: number }
  | { readonly type: "transmit"; readonly frame: ClientFrame }
  /** Close it, and do not wait for the peer: its inputs do not matter any more. */
  | { readonly type: "close"; readonly connection: number; readonly code: number }
  /** Feed `token`, soon. */
  | { readonly type: "want_token" }
  | { readonly type: "deliver"; readonly event: ViewEvent }
  /** Feed `timer` then, instead of any moment asked for before; `null`: not at all. */
  | { readonly type: "wake_at"; readonly at_ms: number | null };

/** What the view is told. Entries come exactly once and in order, but for `history`. */
export type ViewEvent =
  | {
      readonly type: "joined";
      readonly room: string;
      readonly recovered: boolean;
      readonly reason: Reason | null;
      readonly lost: Lost | null;
      readonly entries: readonly Entry[];
      readonly members_count: number;
      readonly members: readonly User[];
    }
  | { readonly type: "entries"; readonly room: string; readonly entries: readonly Entry[] }
  /** Older entries; `more`: whether there are older ones still; `null` where that was not asked. */
  | {
      readonly type: "history";
      readonly room: string;
      readonly entries: readonly Entry[];
      readonly more: boolean | null;
    }
  /** A failover lost these entries, until the same message is delivered again. */
  | { readonly type: "forked"; readonly room: string; readonly lost: readonly Position[] }
  | {
      readonly type: "presence";
      readonly room: string;
      readonly joined?: User;
      readonly left?: User;
      readonly members_count: number;
    }
  | { readonly type: "typing"; readonly room: string; readonly user: User }
  /** How far a user has read: another, or this one on any of his connections. */
  | { readonly type: "receipt"; readonly room: string; readonly user: User; readonly seq: number }
  /** Unasked. Without a reason by a server that gives none. */
  | { readonly type: "left"; readonly room: string; readonly reason?: string }
  /** What is set of a room: one that is joined, or a private one that the user was let into. */
  | RoomFrame
  /** What became of a `manage`: what is set of the room now, why it was refused, or that it is done. */
  | {
      readonly type: "answered";
      readonly id: string;
      readonly room?: RoomFrame;
      readonly refusal?: { readonly code: string; readonly message: string; readonly retry_after_ms?: number };
    }
  /** A refusal that belongs to no message; a room named with it is not joined. */
  | { readonly type: "refused"; readonly room?: string; readonly code: string; readonly message: string };

export type Phase =
  | { readonly name: "idle" }
  /** The next connection needs a token. */
  | { readonly name: "authorizing"; readonly until: number }
  | { readonly name: "connecting"; readonly until: number }
  /** `hello` was sent. */
  | { readonly name: "greeting"; readonly until: number }
  | {
      readonly name: "live";
      readonly since: number;
      readonly pingAt: number;
      readonly pongBy: number | null;
      /** When to move on, where the server announced that it goes away. */
      readonly leaveAt: number | null;
    }
  | { readonly name: "waiting"; readonly retryAt: number; readonly code: number }
  | { readonly name: "stopped"; readonly code: number; readonly message: string };

export type RoomPhase =
  | { readonly name: "wanted"; readonly retryAt: number }
  | { readonly name: "joining"; readonly ref: string; readonly until: number }
  /** Pages follow the first. */
  | { readonly name: "paging"; readonly until: number }
  | { readonly name: "live" };

export interface Room {
  readonly phase: RoomPhase;
  readonly cursor: RoomCursor | null;
  /** What was delivered before the catch-up or search for a fork in progress began. */
  readonly delivered: readonly Position[];
  /** The highest number that the catch-up in progress reported as lost. */
  readonly lostTo: number | null;
  /** A head that `pong` told and the cursor has not reached. */
  readonly ahead: { readonly position: Position; readonly since: number } | null;
  readonly fork: ForkSearch | null;
  /** The `ref` of the request for older entries that is under way. */
  readonly older: string | null;
  readonly typedAt: number | null;
  /** What is set of the room, as this connection or the one before was told. */
  readonly settings: RoomFrame | null;
  /** Whether this connection has joined the room, so that what is set is told anew when it changes. */
  readonly settled: boolean;
  /** How far the user has read, until the server has answered; `null`: it has. */
  readonly read: { readonly seq: number; readonly sentAt: number | null } | null;
  /** How often the join was answered by `internal`. */
  readonly tries: number;
}

/** The search for what a failover lost of that which was read or said to be stored. */
export interface ForkSearch {
  /** Positions that the log may hold or not. */
  readonly undecided: readonly Position[];
  /** Positions that the log holds. */
  readonly kept: readonly Position[];
  /** Positions that the log does not hold. */
  readonly lost: readonly Position[];
  /** The log keeps nothing up to this number. */
  readonly untoldTo: number;
  /** The number behind which the log was asked for, under `ref`. */
  readonly after: number;
  readonly ref: string | null;
}

export interface State {
  readonly phase: Phase;
  /** The number of the newest connection. */
  readonly connection: number;
  /** How many connections in a row did not last. */
  readonly attempt: number;
  readonly online: boolean;
  /** The name asked for; `self` is what the server made of it. */
  readonly user: string | null;
  readonly token: string | null;
  /** Whether there are others when that one expires. */
  readonly tokens: boolean;
  /** When to ask for another; `null`: not as far as is known, or it was asked for. */
  readonly renewAt: number | null;
  /** The `ref` of the `token` without an answer. */
  readonly renewing: string | null;
  readonly self: User | null;
  /** What the token makes of the user in every room. */
  readonly role: Role;
  /** Until when the connection is the user's; `null`: no token ends it. */
  readonly expiresAt: number | null;
  readonly limits: Limits | null;
  /** The rooms that the server listed. */
  readonly listed: readonly RoomSummary[];
  readonly rooms: ReadonlyMap<string, Room>;
  /** The `ref` of each `leave` without an answer, by room; frames of the room before it are stale. */
  readonly leaving: ReadonlyMap<string, readonly string[]>;
  /** When the connection's last `read` was sent, in whichever room. */
  readonly readAt: number | null;
  /** What was asked about rooms and users and has no answer, by its id; `until`: how long it waits. */
  readonly managing: ReadonlyMap<string, { readonly management: Management; readonly until: number; readonly sent: boolean }>;
  readonly outbox: Outbox;
  readonly nextRef: number;
  /** The last refusal without a room, which explains a close that follows. */
  readonly refusal: string | null;
  readonly wakeAt: number | null;
}
