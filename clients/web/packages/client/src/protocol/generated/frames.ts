// Generated from edge-hub/protocol/schema.json by `npm run codegen`; do not edit.

/**
 * What a client may send. [`super::decode`] reads it by hand, for the sake of its error codes;
 * the vectors in `protocol/vectors/frames` hold the two together.
 */
export type ClientFrame =
  | {
      ref?: string | null;
      /**
       * Without it the first default room is joined.
       */
      rooms?: readonly JoinRoom[] | null;
      token?: string | null;
      type: "hello";
      user?: UserId | null;
    }
  | {
      ref?: string | null;
      room: RoomName;
      since?: Position | null;
      type: "join";
    }
  | {
      ref?: string | null;
      room: RoomName;
      type: "leave";
    }
  | {
      id: MessageId;
      /**
       * At most 16.
       */
      mentions?: readonly UserId[] | null;
      reply_to?: Reference | null;
      room: RoomName;
      text: string;
      type: "send";
    }
  | {
      id: MessageId;
      room: RoomName;
      target: Reference;
      text: string;
      type: "edit";
    }
  | {
      id: MessageId;
      room: RoomName;
      target: Reference;
      type: "delete";
    }
  | {
      id: MessageId;
      reaction: Reaction;
      remove?: boolean | null;
      room: RoomName;
      target: Reference;
      type: "react";
    }
  | {
      /**
       * At most 256 bytes.
       */
      note?: string | null;
      reason: Reason;
      ref?: string | null;
      room: RoomName;
      target: Reference;
      type: "report";
    }
  | {
      ref?: string | null;
      room: RoomName;
      target: Reference;
      type: "dismiss";
    }
  | {
      id: MessageId;
      room: RoomName;
      target: Reference;
      type: "restore";
    }
  | {
      ref?: string | null;
      room: RoomName;
      seq: number;
      type: "read";
    }
  | {
      ref?: string | null;
      room: RoomName;
      type: "typing";
    }
  | {
      after?: number | null;
      before?: number | null;
      limit?: number | null;
      ref?: string | null;
      room: RoomName;
      type: "history";
    }
  | {
      ref?: string | null;
      type: "ping";
    }
  | {
      archived?: boolean | null;
      log_age_ms?: number | null;
      log_entries?: number | null;
      private?: boolean | null;
      read_only?: boolean | null;
      ref?: string | null;
      room: RoomName;
      slow_mode_ms?: number | null;
      /**
       * At most 256 bytes.
       */
      topic?: string | null;
      type: "create";
    }
  | {
      archived?: boolean | null;
      log_age_ms?: number | null;
      log_entries?: number | null;
      read_only?: boolean | null;
      ref?: string | null;
      room: RoomName;
      slow_mode_ms?: number | null;
      /**
       * At most 256 bytes.
       */
      topic?: string | null;
      type: "configure";
    }
  | {
      ref?: string | null;
      room: RoomName;
      type: "delete_room";
    }
  | {
      ref?: string | null;
      type: "direct";
      user: UserId;
    }
  | {
      ref?: string | null;
      role: RoomRole;
      room: RoomName;
      type: "grant";
      user: UserId;
    }
  | {
      ref?: string | null;
      room: RoomName;
      type: "revoke";
      user: UserId;
    }
  | {
      ref?: string | null;
      room?: RoomName | null;
      type: "kick";
      user: UserId;
    }
  | {
      for_ms?: number | null;
      ref?: string | null;
      room: RoomName;
      type: "mute";
      user: UserId;
    }
  | {
      for_ms?: number | null;
      ref?: string | null;
      room: RoomName;
      type: "ban";
      user: UserId;
    }
  | {
      ref?: string | null;
      room: RoomName;
      type: "unban";
      user: UserId;
    }
  | {
      ref?: string | null;
      token: string;
      type: "token";
    };
/**
 * A room, without the `#` that people see: `[a-z0-9][a-z0-9_-]{0,63}`.
 */
export type RoomName = string;
export type Tag = string;
/**
 * A user, the same on every connection and edge: `[A-Za-z0-9._@|:+-]{1,64}`.
 */
export type UserId = string;
/**
 * The sender's own id of a message or change; (user, id) is unique in a room.
 */
export type MessageId = string;
/**
 * Another message: by its sender and id, or by its full position.
 */
export type Reference =
  | {
      id: MessageId;
      user: UserId;
    }
  | Position;
/**
 * An emoji or a short token: 1 to 32 bytes without white space or control characters.
 */
export type Reaction = string;
/**
 * Why a message is reported.
 */
export type Reason =
  "spam" | "harassment" | "hate" | "sexual" | "violence" | "self_harm" | "illegal" | "other";
/**
 * What a user is in one room. Each may all that those before it may.
 */
export type RoomRole = ("moderator" | "owner") | "member";
/**
 * A frame from the server. Each variant stands in PROTOCOL.md under its wire name.
 */
export type ServerFrame =
  | ({
      type: "welcome";
    } & Welcome)
  | ({
      type: "joined";
    } & Joined)
  | ({
      type: "page";
    } & Page)
  | {
      reason?: LeftReason;
      room: RoomName;
      type: "left";
    }
  | ({
      type: "room";
    } & RoomFrame)
  | ({
      type: "done";
    } & Done)
  | {
      action: Action;
      id: MessageId;
      position: Position;
      room: RoomName;
      type: "ack";
    }
  | ({
      type: "history";
    } & History)
  | ({
      type: "presence";
    } & PresenceFrame)
  | {
      room: RoomName;
      type: "typing";
      user: User;
    }
  | {
      room: RoomName;
      seq: number;
      type: "receipt";
      user: User;
    }
  | ({
      type: "error";
    } & ErrorFrame)
  | {
      after_ms: number;
      type: "draining";
    }
  | ({
      type: "pong";
    } & Pong)
  | ({
      type: "renewed";
    } & Renewed)
  | EntryFrame;
/**
 * Milliseconds since the Unix epoch.
 */
export type Timestamp = number;
/**
 * What somebody may do to others and what they wrote. Each role may all that those before it may.
 */
export type Role = "member" | "moderator" | "admin";
/**
 * What shows one entry of a room's log, live or within a page.
 */
export type EntryFrame =
  | ({
      type: "message";
    } & MessageFrame)
  | ({
      type: "changed";
    } & ChangedFrame)
  | ({
      type: "skipped";
    } & Skipped);
export type Action = "allow" | "flag" | "mask" | "block";
/**
 * What became of an earlier message: an edit, its deletion or a reaction, each with a position of
 * its own.
 */
export type ChangedFrame = {
  at: Timestamp;
  id: MessageId;
  moderation?: Moderation;
  position: Position;
  prev: Tag;
  room: RoomName;
  target: Target;
  user: User;
} & ChangedFrame1;
export type ChangedFrame1 =
  | {
      change: "edit";
      text: string;
    }
  | {
      change: "delete";
    }
  | {
      change: "react";
      reaction: Reaction;
      /**
       * Whether it is taken back.
       */
      remove?: boolean;
    };
/**
 * Why a client's position does not lead to the newest entry without loss.
 */
export type Reason2 = "trimmed" | "diverged" | "damaged";
/**
 * Why a user follows a room no longer.
 */
export type LeftReason = "banned" | "kicked" | "forbidden" | "deleted";
/**
 * Two users, in the order of bytes.
 *
 * @minItems 2
 * @maxItems 2
 */
export type Pair = [UserId, UserId];
/**
 * The stable code of an error frame or an HTTP error body.
 */
export type ErrorCode =
  | "bad_json"
  | "bad_frame"
  | "unknown_type"
  | "too_large"
  | "too_deep"
  | "bad_room"
  | "bad_id"
  | "bad_user"
  | "hello_first"
  | "already_hello"
  | "not_joined"
  | "too_many_rooms"
  | "rate_limited"
  | "blocked"
  | "banned"
  | "muted"
  | "archived"
  | "slow_mode"
  | "room_exists"
  | "room_full"
  | "stale_target"
  | "target_missing"
  | "too_many_changes"
  | "original_gone"
  | "unauthorized"
  | "token_expired"
  | "forbidden"
  | "bad_request"
  | "request_timeout"
  | "head_too_large"
  | "bad_upgrade"
  | "bad_origin"
  | "not_found"
  | "method_not_allowed"
  | "unavailable"
  | "internal";

/**
 * Everything that goes over a socket.
 */
export interface Frames {
  client: ClientFrame;
  server: ServerFrame;
}
/**
 * A room to join, and where the client stands in it.
 */
export interface JoinRoom {
  room: RoomName;
  since?: Position;
}
/**
 * A place in a room's log: which entry, and the fingerprint of the log up to it.
 *
 * The number alone would not do: a failover may lose `[…, 43, 44]` and then store another 43 and
 * 44. A reader at 44 who compares numbers only would take the new ones for duplicates and drop
 * real messages in silence. The tag tells him that his 44 is no part of this log.
 */
export interface Position {
  seq: number;
  tag: Tag;
}
export interface Welcome {
  edge: string;
  expires_at?: Timestamp;
  limits: AnnouncedLimits;
  role?: Role;
  /**
   * At most 50: the default rooms first, then the user's private ones.
   */
  rooms: readonly RoomSummary[];
  session: string;
  user: User;
}
/**
 * The limits that a client can act on.
 */
export interface AnnouncedLimits {
  burst: number;
  frame_bytes: number;
  messages_per_second: number;
  ping_ms: number;
  rooms: number;
  text_bytes: number;
  typing_ms: number;
}
export interface RoomSummary {
  /**
   * Members now; a moment old.
   */
  members: number;
  room: RoomName;
  with?: UserId;
}
/**
 * Who speaks: the id that counts and the name that people see.
 */
export interface User {
  id: UserId;
  name: string;
}
/**
 * A new truth about a room: the answer to `join`, and unsolicited when something was lost.
 */
export interface Joined {
  head: Position;
  /**
   * The numbers that cannot be had any more, both included.
   */
  lost: Lost | null;
  /**
   * At most 50.
   */
  members: readonly User[];
  members_count: number;
  /**
   * Oldest first.
   */
  messages: readonly EntryFrame[];
  /**
   * Whether `page` frames follow.
   */
  more: boolean;
  position: Position;
  reason: Reason2 | null;
  /**
   * Whether everything since the client's position is here or in the pages that follow.
   */
  recovered: boolean;
  room: RoomName;
}
/**
 * Numbers that cannot be had any more, both included.
 */
export interface Lost {
  from: number;
  to: number;
}
export interface MessageFrame {
  at: Timestamp;
  id: MessageId;
  mentions?: readonly UserId[];
  moderation: Moderation;
  position: Position;
  prev: Tag;
  reply_to?: Reference;
  room: RoomName;
  text: string;
  user: User;
}
/**
 * What was decided of a message, and by which policy.
 */
export interface Moderation {
  action: Action;
  label?: string;
  /**
   * The digest of the moderation component, `sha256:…`, where the host knows it.
   */
  policy?: string;
}
/**
 * The message that a change is about.
 */
export interface Target {
  id: MessageId;
  position: Position;
  user: UserId;
}
/**
 * An entry without content: advance over it.
 */
export interface Skipped {
  /**
   * The first number covered, where that is not the position's own.
   */
  from?: number;
  position: Position;
  prev: Tag;
  room: RoomName;
}
/**
 * More of what `joined` began.
 */
export interface Page {
  head: Position;
  messages: readonly EntryFrame[];
  more: boolean;
  position: Position;
  room: RoomName;
}
/**
 * What is set of a room: before the first `joined` of one of which anything is, the answer to
 * commands about it, and when it changes.
 */
export interface RoomFrame {
  /**
   * Whether nobody writes.
   */
  archived: boolean;
  created_at?: Timestamp;
  created_by?: UserId;
  direct?: Pair;
  log_age_ms?: number;
  log_entries?: number;
  /**
   * Whether only who was let in may be here. Never changes.
   */
  private: boolean;
  /**
   * Whether only moderators and owners write.
   */
  read_only: boolean;
  ref?: string;
  room: RoomName;
  /**
   * The least time between two messages of a user; 0 without slow mode.
   */
  slow_mode_ms: number;
  topic?: string;
  you?: Standing;
}
export interface Standing {
  muted: boolean;
  muted_until?: Timestamp;
  role?: RoomRole;
}
/**
 * The answer to a command that has no other: it is carried out.
 */
export interface Done {
  ref?: string;
}
export interface History {
  messages: readonly EntryFrame[];
  /**
   * Whether there is more in the direction asked for.
   */
  more: boolean;
  ref?: string;
  room: RoomName;
}
/**
 * Somebody came or went: one of `joined` and `left` is there, but in a room of more than 200
 * members, where only the count is told.
 */
export interface PresenceFrame {
  joined?: User;
  left?: User;
  members_count: number;
  room: RoomName;
}
export interface ErrorFrame {
  code: ErrorCode;
  message: string;
  /**
   * The id of the message, or the `ref` of the frame, that this answers.
   */
  ref?: string;
  retry_after_ms?: number;
  room?: RoomName;
}
/**
 * The answer to `ping`: where the edge stands in the connection's rooms.
 */
export interface Pong {
  ref?: string;
  rooms: readonly RoomPosition[];
}
export interface RoomPosition {
  position: Position;
  room: RoomName;
}
/**
 * The answer to `token`: the connection goes on with the new one.
 */
export interface Renewed {
  expires_at: Timestamp;
  ref?: string;
}
