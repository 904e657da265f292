// Generated from edge-hub/protocol/codes.json by `npm run codegen`; do not edit.

/** What a client does after the code: give up, try again at once, or after a pause. */
export type Retry = "never" | "now" | "backoff";

export interface ErrorCode {
  readonly sentence: string;
  readonly retry: Retry;
}

export interface CloseCode {
  readonly name: string;
  readonly sentence: string;
  readonly retry: Retry;
}

export const ERRORS: ReadonlyMap<string, ErrorCode> = new Map([
  ["bad_json", { sentence: "the frame is not valid JSON", retry: "never" }],
  ["bad_frame", { sentence: "the frame does not have the fields that its type needs", retry: "never" }],
  ["unknown_type", { sentence: "the frame's type is not known", retry: "never" }],
  ["too_large", { sentence: "the text or frame is larger than the announced limit", retry: "never" }],
  ["too_deep", { sentence: "the JSON is nested too deeply", retry: "never" }],
  ["bad_room", { sentence: "the room name is not of the form [a-z0-9][a-z0-9_-]{0,63}", retry: "never" }],
  ["bad_id", { sentence: "the id is not of the form [A-Za-z0-9._@|:+-]{1,64}", retry: "never" }],
  ["bad_user", { sentence: "the user name is not of the form [A-Za-z0-9._@|:+-]{1,64}", retry: "never" }],
  ["hello_first", { sentence: "the first frame must be hello", retry: "never" }],
  ["already_hello", { sentence: "hello was already said on this connection", retry: "never" }],
  ["not_joined", { sentence: "the connection has not joined this room", retry: "never" }],
  ["too_many_rooms", { sentence: "the connection or the server has as many rooms as it may have", retry: "never" }],
  ["rate_limited", { sentence: "too many messages; wait for retry_after_ms", retry: "backoff" }],
  ["blocked", { sentence: "moderation refused the message", retry: "never" }],
  ["banned", { sentence: "the user is banned from this room", retry: "never" }],
  ["muted", { sentence: "the user may only read in this room", retry: "never" }],
  ["archived", { sentence: "the room is archived and takes no messages", retry: "never" }],
  ["slow_mode", { sentence: "the room is in slow mode; wait for retry_after_ms", retry: "backoff" }],
  ["room_exists", { sentence: "there is a room of this name already", retry: "never" }],
  ["room_full", { sentence: "as many users are listed in the room as may be", retry: "never" }],
  ["stale_target", { sentence: "the position belongs to another message", retry: "never" }],
  ["target_missing", { sentence: "there is no such message any more", retry: "never" }],
  ["too_many_changes", { sentence: "the message was edited as often as it may be", retry: "never" }],
  ["original_gone", { sentence: "what was masked is not kept, or not any more", retry: "never" }],
  ["unauthorized", { sentence: "a valid token is needed", retry: "never" }],
  ["token_expired", { sentence: "the token has expired; get a new one", retry: "never" }],
  ["forbidden", { sentence: "this is not allowed in this room", retry: "never" }],
  ["bad_request", { sentence: "the request is not HTTP as it should be", retry: "never" }],
  ["request_timeout", { sentence: "the request did not come whole in time", retry: "backoff" }],
  ["head_too_large", { sentence: "the request has too many or too large headers", retry: "never" }],
  ["bad_upgrade", { sentence: "the request is not a WebSocket handshake of this protocol", retry: "never" }],
  ["bad_origin", { sentence: "pages of this origin may not use this service", retry: "never" }],
  ["not_found", { sentence: "there is no such thing", retry: "never" }],
  ["method_not_allowed", { sentence: "this path does not take this method", retry: "never" }],
  ["unavailable", { sentence: "the service cannot take this now; wait for retry_after_ms", retry: "backoff" }],
  ["internal", { sentence: "the frame could not be handled; send it again at most twice", retry: "backoff" }],
] satisfies [string, ErrorCode][]);

export const CLOSES: ReadonlyMap<number, CloseCode> = new Map([
  [1002, { name: "protocol_error", sentence: "the peer broke the WebSocket protocol", retry: "never" }],
  [1003, { name: "text_only", sentence: "only text frames are understood", retry: "never" }],
  [1007, { name: "bad_utf8", sentence: "a text frame was not UTF-8", retry: "never" }],
  [1009, { name: "frame_too_large", sentence: "a frame was larger than the limit", retry: "never" }],
  [4001, { name: "hello_timeout", sentence: "no hello came in time", retry: "never" }],
  [4002, { name: "unauthorized", sentence: "the token is missing or not valid", retry: "never" }],
  [4003, { name: "bad_hello", sentence: "the hello frame was refused", retry: "never" }],
  [4004, { name: "too_many_errors", sentence: "too many frames were refused in a row", retry: "never" }],
  [4005, { name: "token_expired", sentence: "the token has expired; connect again with a new one", retry: "never" }],
  [4006, { name: "kicked", sentence: "a moderator ended the connection", retry: "never" }],
  [4501, { name: "slow_consumer", sentence: "the client read too slowly and its queue was full; resume", retry: "now" }],
  [4502, { name: "draining", sentence: "the edge is going away; resume, elsewhere if possible", retry: "backoff" }],
  [4503, { name: "internal", sentence: "the edge could not go on with this connection; resume", retry: "backoff" }],
  [4504, { name: "session_unknown", sentence: "the session is of another version; resume", retry: "now" }],
  [4505, { name: "idle", sentence: "no answer to a ping; resume", retry: "backoff" }],
  [4506, { name: "overloaded", sentence: "the edge is full; resume later", retry: "backoff" }],
] satisfies [number, CloseCode][]);
