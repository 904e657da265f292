import type { Role, RoomFrame, RoomRole, Settings } from "./protocol/frames.ts";

/** What is set of a room. */
export interface RoomSettings {
  /** One line of at most 256 bytes; empty without one. */
  readonly topic: string;
  /** Whether only who was let in may be here. It never changes. */
  readonly private: boolean;
  /** The ids of the two whose direct room it is. */
  readonly direct: readonly string[] | null;
  /** Whether only moderators and owners write. */
  readonly readOnly: boolean;
  /** Whether nobody writes any more. */
  readonly archived: boolean;
  /** The least time between two messages of a user who is no moderator; 0 without slow mode. */
  readonly slowModeMs: number;
  /** How many entries are kept, where that is less than the deployment keeps; else 0. */
  readonly logEntries: number;
  /** How long they are kept, where that is less than in the deployment; else 0. */
  readonly logAgeMs: number;
  /** The id of who made it; `null`: nobody did by `createRoom`. */
  readonly createdBy: string | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number | null;
}

/** What keeps a user from writing in a room that he is in. */
export type Barrier = "archived" | "muted" | "read_only";

/** Something about a room or a user was not done. */
export class Refusal extends Error {
  /**
   * Of the protocol; or `offline`: it was not sent; or `unanswered`: it may have been done or not.
   */
  readonly code: string;
  /** When to ask again, where the server said so. */
  readonly retryAfterMs: number | null;

  constructor(code: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** `null`: nothing is set. */
export function settingsOf(name: string, frame: RoomFrame | null): RoomSettings {
  return {
    topic: frame?.topic ?? "",
    private: frame?.private ?? /^(private|direct)-/.test(name),
    direct: frame?.direct ?? null,
    readOnly: frame?.read_only ?? false,
    archived: frame?.archived ?? false,
    slowModeMs: frame?.slow_mode_ms ?? 0,
    logEntries: frame?.log_entries ?? 0,
    logAgeMs: frame?.log_age_ms ?? 0,
    createdBy: frame?.created_by ?? null,
    createdAt: frame?.created_at ?? null,
  };
}

/** As it goes over the wire; what cannot be set is left out. */
export function patchOf(settings: Partial<RoomSettings>): Settings {
  const { topic, readOnly, archived, slowModeMs, logEntries, logAgeMs } = settings;
  return {
    ...(topic !== undefined && { topic }),
    ...(readOnly !== undefined && { read_only: readOnly }),
    ...(archived !== undefined && { archived }),
    ...(slowModeMs !== undefined && { slow_mode_ms: slowModeMs }),
    ...(logEntries !== undefined && { log_entries: logEntries }),
    ...(logAgeMs !== undefined && { log_age_ms: logAgeMs }),
  };
}

const ROLES: readonly (RoomRole | null)[] = [null, "member", "moderator", "owner"];
const EVERYWHERE: Record<Role, RoomRole | null> = { member: null, moderator: "moderator", admin: "owner" };

/** What a user may in a room: the roles of tokens count beside those of the room. */
export function roleOf(token: Role, room: RoomRole | null): RoomRole | null {
  const all = [EVERYWHERE[token], room].map((role) => ROLES.indexOf(role));
  return ROLES[Math.max(...all)] ?? null;
}

export function barrierOf({ archived, readOnly }: RoomSettings, role: RoomRole | null, muted: boolean): Barrier | null {
  if (archived) return "archived";
  if (muted) return "muted";
  return readOnly && role !== "moderator" && role !== "owner" ? "read_only" : null;
}
