import { type Barrier, type Out, Refusal } from "@clustertalk/client";
import { timeOf } from "./clock";

/** What the codes mean to whoever reads the page; others say it in the server's own words. */
const SENTENCES: Readonly<Record<string, string>> = {
  archived: "This room is archived and takes no messages.",
  bad_room: "A room's name has lower-case letters, digits, _ and -, at most 39 for a private one.",
  bad_user: "There can be no user of that name: letters, digits and . _ @ | : + - without spaces.",
  banned: "You are banned from this room.",
  blocked: "Moderation did not let this message through.",
  forbidden: "You may not do this here.",
  muted: "You are muted here and can only read.",
  offline: "There is no connection at the moment. Try again when you are online.",
  room_exists: "There is a room of this name already. Choose another name, or join it.",
  room_full: "This room cannot list more users.",
  slow_mode: "This room is in slow mode. Wait a moment before the next message.",
  too_many_rooms: "You have as many rooms as you may have. Delete or leave one first.",
  unanswered: "The answer did not come. Look whether it was done before you try again.",
  unavailable: "The server cannot do this right now. Try again in a moment.",
  rate_limited: "That was too much at once. Try again in a moment.",
};

export function sentenceOf(code: string, message: string): string {
  return SENTENCES[code] ?? `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}

/** Why something was not done. */
export function explained(reason: unknown): string {
  if (reason instanceof Refusal) return sentenceOf(reason.code, reason.message);
  return reason instanceof Error ? reason.message : String(reason);
}

/** Why a room cannot be entered, for a notice. */
export function refusedEntry(title: string, code: string, message: string): string {
  if (code === "forbidden") return `You cannot enter ${title}: it is private or closed, or there is no such room.`;
  if (code === "banned") return `You are banned from ${title}.`;
  return `${title}: ${sentenceOf(code, message)}`;
}

/** Why the user is not in the room that he looks at. */
export function outOf({ reason, message }: Out, title: string): string {
  switch (reason) {
    case "kicked":
      return `A moderator had you leave ${title}. You may come back.`;
    case "banned":
      return `You are banned from ${title}.`;
    case "deleted":
      return `${title} was deleted, with everything in it.`;
    case "forbidden":
      return message === null
        ? `${title} is not open to you any more.`
        : `${title} is not open to you: it is private or closed, or there is no such room.`;
    default:
      return sentenceOf(reason, message ?? "you are not in this room");
  }
}

/** Why the user cannot write. */
export function barred(barrier: Barrier, mutedUntil: number | null): string {
  switch (barrier) {
    case "archived":
      return "This room is archived. It can be read, and takes no messages.";
    case "read_only":
      return "Only moderators and owners write here.";
    case "muted":
      return mutedUntil === null || mutedUntil === Infinity
        ? "You are muted here and can only read."
        : `You are muted here until ${timeOf(mutedUntil)} and can only read.`;
  }
}

/** A span of time in words. */
export function spanOf(ms: number): string {
  const [many, unit] = UNITS.find(([of]) => ms >= of && ms % of === 0) ?? [1000, "second"];
  const count = Math.ceil(ms / many);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const UNITS = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
] as const;
