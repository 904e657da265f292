// Generated from edge-hub/protocol/schema.json by `npm run codegen`; do not edit.

/**
 * What a client may send. [`super::decode`] reads it by hand, for the sake of its error codes;
 * the vectors in `protocol/vectors/frames` hold the two together.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "ClientFrame".
 */
export type ClientFrame =
  | {
      ref: string | null;
      /**
       * Without it the first default room is joined.
       */
      rooms: JoinRoom[] | null;
      token: string | null;
      type: "hello";
      user: UserId | null;
    }
  | {
      ref: string | null;
      room: RoomName;
      since: Position | null;
      type: "join";
    }
  | {
      ref: string | null;
      room: RoomName;
      type: "leave";
    }
  | {
      id: MessageId;
      reply_to: Reference | null;
      room: RoomName;
      text: string;
      type: "send";
    }
  | {
      ref: string | null;
      room: RoomName;
      type: "typing";
    }
  | {
      after: number | null;
      before: number | null;
      limit: number | null;
      ref: string | null;
      room: RoomName;
      type: "history";
    }
  | {
      ref: string | null;
      type: "ping";
    };
/**
 * A room, without the `#` that people see: `[a-z0-9][a-z0-9_-]{0,63}`.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "RoomName".
 */
export type RoomName = string;
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Tag".
 */
export type Tag = string;
/**
 * A user, the same on every connection and edge: `[A-Za-z0-9._@|:+-]{1,64}`.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "UserId".
 */
export type UserId = string;
/**
 * The sender's own id of a message; (user, message id) is unique in a room.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "MessageId".
 */
export type MessageId = string;
/**
 * Another message: by its sender and id, or by its full position.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Reference".
 */
export type Reference =
  | {
      id: MessageId;
      user: UserId;
    }
  | Position;
/**
 * A frame from the server. Each variant stands in PROTOCOL.md under its wire name.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "ServerFrame".
 */
export type ServerFrame =
  | Welcome
  | Joined
  | Page
  | MessageFrame
  | Skipped
  | {
      room: RoomName;
      type: "left";
    }
  | {
      action: Action;
      id: MessageId;
      position: Position;
      room: RoomName;
      type: "ack";
    }
  | History
  | PresenceFrame
  | {
      room: RoomName;
      type: "typing";
      user: User;
    }
  | ErrorFrame
  | {
      after_ms: number;
      type: "draining";
    }
  | Pong;
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Action".
 */
export type Action = "allow" | "flag" | "mask" | "block";
/**
 * The stable code of an error frame or an HTTP error body.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "ErrorCode".
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
  | "unauthorized"
  | "bad_upgrade"
  | "bad_origin"
  | "not_found"
  | "method_not_allowed"
  | "unavailable"
  | "internal";
/**
 * Why a client's position does not lead to the newest entry without loss.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Reason".
 */
export type Reason = "trimmed" | "diverged" | "damaged";
/**
 * Milliseconds since the Unix epoch.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Timestamp".
 */
export type Timestamp = number;

/**
 * Everything that goes over a socket.
 */
export interface Frames {
  client: ClientFrame;
  server: ServerFrame;
}
/**
 * A room to join, and where the client stands in it.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "JoinRoom".
 */
export interface JoinRoom {
  room: RoomName;
  since: Position | null;
}
/**
 * A place in a room's log: which entry, and the fingerprint of the log up to it.
 *
 * The number alone would not do: a failover may lose `[…, 43, 44]` and then store another 43 and
 * 44. A reader at 44 who compares numbers only would take the new ones for duplicates and drop
 * real messages in silence. The tag tells him that his 44 is no part of this log.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Position".
 */
export interface Position {
  seq: number;
  tag: Tag;
}
export interface Welcome {
  type: "welcome";
}
/**
 * A new truth about a room: the answer to `join`, and unsolicited when something was lost.
 */
export interface Joined {
  type: "joined";
}
/**
 * More of what `joined` began.
 */
export interface Page {
  type: "page";
}
export interface MessageFrame {
  type: "message";
}
/**
 * An entry without content: advance over it.
 */
export interface Skipped {
  type: "skipped";
}
export interface History {
  type: "history";
}
/**
 * Somebody came or went; exactly one of `joined` and `left` is there.
 */
export interface PresenceFrame {
  type: "presence";
}
/**
 * Who speaks: the id that counts and the name that people see.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "User".
 */
export interface User {
  id: UserId;
  name: string;
}
export interface ErrorFrame {
  type: "error";
}
/**
 * The answer to `ping`: where the edge stands in the connection's rooms.
 */
export interface Pong {
  type: "pong";
}
/**
 * The limits that a client can act on.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "AnnouncedLimits".
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
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "ErrorFrame".
 */
export interface ErrorFrame1 {
  code: ErrorCode;
  message: string;
  /**
   * The id of the message, or the `ref` of the frame, that this answers.
   */
  ref?: string | null;
  retry_after_ms?: number | null;
  room?: RoomName | null;
}
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "History".
 */
export interface History1 {
  messages: ServerFrame[];
  /**
   * Whether there is more in the direction asked for.
   */
  more: boolean;
  ref?: string | null;
  room: RoomName;
}
/**
 * A new truth about a room: the answer to `join`, and unsolicited when something was lost.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Joined".
 */
export interface Joined1 {
  head: Position1;
  /**
   * The numbers that cannot be had any more, both included.
   */
  lost: Lost | null;
  /**
   * At most 50.
   */
  members: User[];
  members_count: number;
  /**
   * `message` and `skipped` frames, oldest first.
   */
  messages: ServerFrame[];
  /**
   * Whether `page` frames follow.
   */
  more: boolean;
  position: Position2;
  reason: Reason | null;
  /**
   * Whether everything since the client's position is here or in the pages that follow.
   */
  recovered: boolean;
  room: RoomName;
}
/**
 * A place in a room's log: which entry, and the fingerprint of the log up to it.
 *
 * The number alone would not do: a failover may lose `[…, 43, 44]` and then store another 43 and
 * 44. A reader at 44 who compares numbers only would take the new ones for duplicates and drop
 * real messages in silence. The tag tells him that his 44 is no part of this log.
 */
export interface Position1 {
  seq: number;
  tag: Tag;
}
/**
 * Numbers that cannot be had any more, both included.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Lost".
 */
export interface Lost {
  from: number;
  to: number;
}
/**
 * A place in a room's log: which entry, and the fingerprint of the log up to it.
 *
 * The number alone would not do: a failover may lose `[…, 43, 44]` and then store another 43 and
 * 44. A reader at 44 who compares numbers only would take the new ones for duplicates and drop
 * real messages in silence. The tag tells him that his 44 is no part of this log.
 */
export interface Position2 {
  seq: number;
  tag: Tag;
}
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "MessageFrame".
 */
export interface MessageFrame1 {
  at: Timestamp;
  id: MessageId;
  moderation: Moderation;
  position: Position;
  prev: Tag;
  reply_to?: Reference | null;
  room: RoomName;
  text: string;
  user: User;
}
/**
 * What was decided of a message, and by which policy.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Moderation".
 */
export interface Moderation {
  action: Action;
  label?: string | null;
  /**
   * The digest of the moderation component, `sha256:…`, where the host knows it.
   */
  policy?: string | null;
}
/**
 * More of what `joined` began.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Page".
 */
export interface Page1 {
  head: Position;
  messages: ServerFrame[];
  more: boolean;
  position: Position;
  room: RoomName;
}
/**
 * The answer to `ping`: where the edge stands in the connection's rooms.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Pong".
 */
export interface Pong1 {
  ref?: string | null;
  rooms: RoomPosition[];
}
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "RoomPosition".
 */
export interface RoomPosition {
  position: Position;
  room: RoomName;
}
/**
 * Somebody came or went; exactly one of `joined` and `left` is there.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "PresenceFrame".
 */
export interface PresenceFrame1 {
  joined?: User | null;
  left?: User | null;
  members_count: number;
  room: RoomName;
}
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "RoomSummary".
 */
export interface RoomSummary {
  /**
   * Members now; a moment old.
   */
  members: number;
  room: RoomName;
}
/**
 * An entry without content: advance over it.
 *
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Skipped".
 */
export interface Skipped1 {
  /**
   * The first number covered, where that is not the position's own.
   */
  from?: number | null;
  position: Position;
  prev: Tag;
  room: RoomName;
}
/**
 * This interface was referenced by `Frames`'s JSON-Schema
 * via the `definition` "Welcome".
 */
export interface Welcome1 {
  edge: string;
  limits: AnnouncedLimits;
  /**
   * At most 50, the default rooms first.
   */
  rooms: RoomSummary[];
  session: string;
  user: User;
}
