/**
 * The wire of protocol version 1 (PROTOCOL.md): JSON text frames over a WebSocket with the
 * subprotocol `clustertalk.v1`. Names are as on the wire, so a frame is its own JSON.
 */

export const SUBPROTOCOL = "clustertalk.v1";

/** A place in a room's log: the entry's number, and the fingerprint of the log up to it. */
export interface Position {
  readonly seq: number;
  /** 16 lower-case hexadecimal digits; 16 zeros before the first entry. */
  readonly tag: string;
}

export interface User {
  readonly id: string;
  readonly name: string;
}

export type Action = "allow" | "flag" | "mask" | "block";

export interface Moderation {
  readonly action: Action;
  readonly label?: string;
  readonly policy?: string;
}

/** A message by its sender and id, under which it is found wherever a failover puts it. */
export interface Named {
  readonly user: string;
  readonly id: string;
}

/** Another message: by its sender and id, or by its position. */
export type Reference = Named | Position;

/** Numbers that cannot be had any more, both included. */
export interface Lost {
  readonly from: number;
  readonly to: number;
}

export interface JoinRoom {
  readonly room: string;
  readonly since?: Position;
}

export type ClientFrame =
  | {
      readonly type: "hello";
      readonly user: string | null;
      readonly token: string | null;
      readonly rooms: readonly JoinRoom[];
      readonly ref: string;
    }
  | ({ readonly type: "join"; readonly ref: string } & JoinRoom)
  | { readonly type: "leave"; readonly room: string; readonly ref: string }
  | {
      readonly type: "send";
      readonly room: string;
      readonly id: string;
      readonly text: string;
      readonly reply_to?: Reference;
      readonly mentions?: readonly string[];
    }
  | {
      readonly type: "edit";
      readonly room: string;
      readonly id: string;
      readonly target: Named;
      readonly text: string;
    }
  | { readonly type: "delete"; readonly room: string; readonly id: string; readonly target: Named }
  | {
      readonly type: "react";
      readonly room: string;
      readonly id: string;
      readonly target: Named;
      readonly reaction: string;
      readonly remove?: boolean;
    }
  | { readonly type: "read"; readonly room: string; readonly seq: number }
  | { readonly type: "typing"; readonly room: string }
  | (Management & { readonly ref: string })
  | { readonly type: "token"; readonly token: string; readonly ref: string }
  | {
      readonly type: "history";
      readonly room: string;
      readonly before?: number;
      readonly after?: number;
      readonly limit: number;
      readonly ref: string;
    }
  | { readonly type: "ping" };

/** What a user is in one room. Each may all that those before it may. */
export type RoomRole = "member" | "moderator" | "owner";

/** What may be set of a room; what is not named stays. An empty text, `false` and 0 take it away. */
export interface Settings {
  readonly topic?: string;
  readonly read_only?: boolean;
  readonly archived?: boolean;
  readonly slow_mode_ms?: number;
  readonly log_entries?: number;
  readonly log_age_ms?: number;
}

/** What is asked about rooms, users and what they said. It is answered by `room`, `done` or an error. */
export type Management =
  | ({ readonly type: "create"; readonly room: string; readonly private?: boolean } & Settings)
  | ({ readonly type: "configure"; readonly room: string } & Settings)
  | { readonly type: "delete_room"; readonly room: string }
  | { readonly type: "direct"; readonly user: string }
  | { readonly type: "grant"; readonly room: string; readonly user: string; readonly role: RoomRole }
  | { readonly type: "revoke" | "unban"; readonly room: string; readonly user: string }
  | { readonly type: "kick"; readonly room?: string; readonly user: string }
  | { readonly type: "mute" | "ban"; readonly room: string; readonly user: string; readonly for_ms?: number }
  | {
      readonly type: "report";
      readonly room: string;
      readonly target: Named;
      readonly reason: ReportReason;
      readonly note?: string;
    }
  | { readonly type: "dismiss"; readonly room: string; readonly target: Named };

/** What is wrong with a message that is reported. */
export type ReportReason = "spam" | "harassment" | "hate" | "sexual" | "violence" | "self_harm" | "illegal" | "other";

export interface MessageFrame {
  readonly type: "message";
  readonly room: string;
  readonly position: Position;
  readonly prev: string;
  readonly id: string;
  readonly user: User;
  readonly text: string;
  /** Milliseconds since 1970 by the server's clock. */
  readonly at: number;
  readonly moderation: Moderation;
  readonly reply_to?: Reference;
  /** Ids of users. */
  readonly mentions?: readonly string[];
}

/** The message that a change is about. */
export interface Target {
  readonly position: Position;
  /** Who sent it. */
  readonly user: string;
  readonly id: string;
}

export type Change =
  | { readonly change: "edit"; readonly text: string }
  | { readonly change: "delete" }
  | { readonly change: "react"; readonly reaction: string; readonly remove?: boolean };

/** What became of an earlier message: an entry of its own. */
export type ChangedFrame = Change & {
  readonly type: "changed";
  readonly room: string;
  readonly position: Position;
  readonly prev: string;
  /** The change's own. */
  readonly id: string;
  readonly user: User;
  readonly at: number;
  readonly target: Target;
  /** Of a text that was reviewed. */
  readonly moderation?: Moderation;
};

/** An entry without content: readers advance over it. */
export interface SkippedFrame {
  readonly type: "skipped";
  readonly room: string;
  readonly position: Position;
  readonly prev: string;
  /** The first number covered, where that is not the position's own. */
  readonly from?: number;
}

/** What a room's log is made of. */
export type Entry = MessageFrame | ChangedFrame | SkippedFrame;

export interface Limits {
  readonly text_bytes: number;
  readonly messages_per_second: number;
  readonly ping_ms: number;
  readonly typing_ms?: number;
}

export interface WelcomeFrame {
  readonly type: "welcome";
  readonly session: string;
  readonly user: User;
  readonly edge: string;
  readonly limits: Limits;
  readonly rooms: readonly RoomSummary[];
  /** Until when the connection is this user's, where a token says so. */
  readonly expires_at?: number;
  /** What the token makes of the user everywhere. */
  readonly role?: Role;
}

export type Role = "member" | "moderator" | "admin";

export interface RoomSummary {
  readonly room: string;
  readonly members: number;
  /** The other user of a direct room. */
  readonly with?: string;
}

export type Reason = "trimmed" | "diverged" | "damaged";

export interface JoinedFrame {
  readonly type: "joined";
  readonly room: string;
  readonly position: Position;
  readonly head: Position;
  readonly recovered: boolean;
  readonly reason: Reason | null;
  readonly lost: Lost | null;
  readonly more: boolean;
  readonly messages: readonly Entry[];
  readonly members_count: number;
  readonly members: readonly User[];
}

export interface PageFrame {
  readonly type: "page";
  readonly room: string;
  readonly messages: readonly Entry[];
  readonly position: Position;
  readonly head: Position;
  readonly more: boolean;
}

export interface AckFrame {
  readonly type: "ack";
  readonly room: string;
  readonly id: string;
  readonly position: Position;
  readonly action: Action;
}

export interface HistoryFrame {
  readonly type: "history";
  readonly room: string;
  readonly messages: readonly Entry[];
  readonly more: boolean;
  readonly ref?: string;
}

export interface PresenceFrame {
  readonly type: "presence";
  readonly room: string;
  readonly joined?: User;
  readonly left?: User;
  readonly members_count: number;
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly retry_after_ms?: number;
  readonly ref?: string;
  readonly room?: string;
}

export interface PongFrame {
  readonly type: "pong";
  readonly rooms: readonly { readonly room: string; readonly position: Position }[];
}

/** What is set of a room, and what the user is there. */
export interface RoomFrame {
  readonly type: "room";
  readonly room: string;
  readonly topic?: string;
  /** Whether only who was let in may be here. */
  readonly private: boolean;
  /** The two users of a direct room. */
  readonly direct?: readonly string[];
  readonly read_only: boolean;
  readonly archived: boolean;
  /** The least time between two messages of a user. */
  readonly slow_mode_ms: number;
  readonly log_entries?: number;
  readonly log_age_ms?: number;
  readonly created_by?: string;
  readonly created_at?: number;
  /** Not there in what everybody in the room is told alike. */
  readonly you?: Standing;
  readonly ref?: string;
}

/** What the user is in a room. */
export interface Standing {
  readonly role?: RoomRole;
  readonly muted: boolean;
  readonly muted_until?: number;
}

export interface RenewedFrame {
  readonly type: "renewed";
  readonly expires_at: number;
  readonly ref?: string;
}

export type ServerFrame =
  | WelcomeFrame
  | JoinedFrame
  | PageFrame
  | MessageFrame
  | ChangedFrame
  | SkippedFrame
  | AckFrame
  | HistoryFrame
  | PresenceFrame
  | ErrorFrame
  | PongFrame
  | RenewedFrame
  | RoomFrame
  | { readonly type: "left"; readonly room: string; readonly reason?: string }
  /** It answers what was asked for about a room or a user. */
  | { readonly type: "done"; readonly ref?: string }
  | { readonly type: "typing"; readonly room: string; readonly user: User }
  /** How far a user has read. */
  | { readonly type: "receipt"; readonly room: string; readonly user: User; readonly seq: number }
  | { readonly type: "draining"; readonly after_ms: number };

/** The position of a reader who has everything before this entry. */
export function before(entry: Entry): Position {
  return { seq: first(entry) - 1, tag: entry.prev };
}

/** The first number that an entry covers. */
export function first(entry: Entry): number {
  return entry.type === "skipped" ? (entry.from ?? entry.position.seq) : entry.position.seq;
}
