import type { Entry, ServerFrame } from "./frames.ts";

/**
 * Reads a frame from the server. `null` is a frame that this build cannot use; it is safe to
 * ignore. An unknown type with a place in a room's log comes out as `skipped`, so that a newer
 * server's entries do not stop the cursor.
 */
export function decode(text: string): ServerFrame | null {
  try {
    return frame(JSON.parse(text));
  } catch {
    return null;
  }
}

type Fields = Record<string, unknown>;

function frame(value: unknown): ServerFrame | null {
  if (!isObject(value) || typeof value.type !== "string") return null;
  const check = CHECKS[value.type];
  if (check === undefined) return entry(value);
  if (!check(value)) return null;
  if (!Array.isArray(value.messages)) return value as unknown as ServerFrame;
  const messages = value.messages.map(entry);
  if (messages.includes(null)) return null;
  return { ...value, messages } as unknown as ServerFrame;
}

function entry(value: unknown): Entry | null {
  if (!isObject(value) || !isEntry(value)) return null;
  if (value.type === "message") return isMessage(value) ? (value as unknown as Entry) : null;
  const change = value.type === "changed" ? CHANGES[String(value.change)] : undefined;
  if (change !== undefined) return isChanged(value) && change(value) ? (value as unknown as Entry) : null;
  const skipped = { type: "skipped", room: value.room, position: value.position, prev: value.prev };
  return (isSeq(value.from) ? { ...skipped, from: value.from } : skipped) as Entry;
}

/** What the rest of the client relies on, by type. */
const CHECKS: Record<string, (fields: Fields) => boolean> = {
  welcome: (f) =>
    isUser(f.user) &&
    isLimits(f.limits) &&
    isArrayOf(f.rooms, isSummary) &&
    (f.expires_at === undefined || typeof f.expires_at === "number"),
  joined: (f) =>
    isCatchUp(f) &&
    typeof f.recovered === "boolean" &&
    (f.lost === null || isLost(f.lost)) &&
    typeof f.members_count === "number" &&
    isArrayOf(f.members, isUser),
  page: isCatchUp,
  message: isMessage,
  skipped: isEntry,
  left: isRoom,
  room: (f) =>
    isRoom(f) &&
    ["private", "read_only", "archived"].every((name) => typeof f[name] === "boolean") &&
    typeof f.slow_mode_ms === "number" &&
    (f.topic === undefined || typeof f.topic === "string") &&
    (f.direct === undefined || (Array.isArray(f.direct) && f.direct.every((user) => typeof user === "string"))) &&
    (f.you === undefined || (isObject(f.you) && typeof f.you.muted === "boolean")),
  done: () => true,
  ack: (f) => isRoom(f) && typeof f.id === "string" && isPosition(f.position),
  history: (f) => isRoom(f) && Array.isArray(f.messages) && typeof f.more === "boolean",
  presence: (f) =>
    isRoom(f) &&
    typeof f.members_count === "number" &&
    [f.joined, f.left].every((user) => user === undefined || isUser(user)),
  typing: (f) => isRoom(f) && isUser(f.user),
  receipt: (f) => isRoom(f) && isUser(f.user) && isSeq(f.seq),
  error: (f) => typeof f.code === "string" && typeof f.message === "string",
  draining: (f) => typeof f.after_ms === "number",
  renewed: (f) => typeof f.expires_at === "number",
  pong: (f) => isArrayOf(f.rooms, (room) => isRoom(room) && isPosition(room.position)),
};

/** What each change says; of a kind that is not known, an entry still holds its place. */
const CHANGES: Record<string, (fields: Fields) => boolean> = {
  edit: (f) => typeof f.text === "string",
  delete: () => true,
  react: (f) => typeof f.reaction === "string" && (f.remove === undefined || typeof f.remove === "boolean"),
};

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isArrayOf(value: unknown, check: (item: Fields) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => isObject(item) && check(item));
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPosition(value: unknown): boolean {
  return isObject(value) && isSeq(value.seq) && isTag(value.tag);
}

function isTag(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
}

function isUser(value: unknown): boolean {
  return isObject(value) && typeof value.id === "string" && typeof value.name === "string";
}

function isRoom(fields: Fields): boolean {
  return typeof fields.room === "string";
}

function isSummary(fields: Fields): boolean {
  return isRoom(fields) && typeof fields.members === "number";
}

function isLost(value: unknown): boolean {
  return isObject(value) && isSeq(value.from) && isSeq(value.to);
}

function isLimits(value: unknown): boolean {
  return (
    isObject(value) &&
    ["text_bytes", "messages_per_second", "ping_ms"].every(
      (name) => typeof value[name] === "number" && value[name] > 0,
    )
  );
}

function isEntry(fields: Fields): boolean {
  return isRoom(fields) && isPosition(fields.position) && isTag(fields.prev);
}

function isMessage(fields: Fields): boolean {
  return (
    isEntry(fields) &&
    typeof fields.id === "string" &&
    isUser(fields.user) &&
    typeof fields.text === "string" &&
    typeof fields.at === "number" &&
    isObject(fields.moderation)
  );
}

function isChanged(fields: Fields): boolean {
  const { target, moderation } = fields;
  return (
    typeof fields.id === "string" &&
    isUser(fields.user) &&
    typeof fields.at === "number" &&
    isObject(target) &&
    isPosition(target.position) &&
    typeof target.user === "string" &&
    typeof target.id === "string" &&
    (moderation === undefined || isObject(moderation))
  );
}

function isCatchUp(fields: Fields): boolean {
  return (
    isRoom(fields) &&
    isPosition(fields.position) &&
    isPosition(fields.head) &&
    typeof fields.more === "boolean" &&
    Array.isArray(fields.messages)
  );
}
