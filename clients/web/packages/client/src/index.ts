export { ChatClient, type ChatOptions, type Problem, type Status } from "./client.ts";
export { type Barrier, Refusal, type RoomSettings } from "./settings.ts";
export type { Addressed, ChatRoom, Loss, Outcome, RoomSnapshot, SendOptions } from "./room.ts";
export type { Socket, SocketConstructor } from "./socket.ts";
export { type OutboxStorage, browserStorage, memoryStorage } from "./storage.ts";
export type { TokenProvider } from "./token.ts";

export type { Changes, Reaction } from "./protocol/changes.ts";
export type {
  ChangedFrame,
  Limits,
  Lost,
  MessageFrame,
  Moderation,
  Named,
  Position,
  Reason,
  Reference,
  ReportReason,
  Role,
  RoomRole,
  RoomSummary,
  User,
} from "./protocol/frames.ts";
export type { Line, Quote, Said, Sending } from "./protocol/lines.ts";
export { type Message, messageOf } from "./protocol/messages.ts";
export { isRoomName, isUserName } from "./protocol/names.ts";
export type { Command } from "./protocol/outbox.ts";
export type { Out, Receipt } from "./protocol/view.ts";
