import type { RoomSummary } from "@clustertalk/client";

const CONFIG = "/api/v1/config";
const ROOMS = "/api/v1/rooms";
const ANSWER_MS = 3_000;

/** Where the socket is: the server knows; without its word, `/ws` beside the page. */
export async function websocketUrl(): Promise<string> {
  const { protocol, host } = window.location;
  const own = `${protocol === "https:" ? "wss" : "ws"}://${host}/ws`;
  return told(await answer(CONFIG)) ?? own;
}

/** Whether names may be chosen, or a token is needed; `null` where the server does not tell. */
export async function mayChooseName(): Promise<boolean | null> {
  const config = await answer(CONFIG);
  return isObject(config) && typeof config.anonymous === "boolean" ? config.anonymous : null;
}

/** The rooms that are open to the user, as they are now; `null` where the server does not tell. */
export async function openRooms(token: string | null): Promise<readonly RoomSummary[] | null> {
  const body = await answer(ROOMS, token);
  if (!isObject(body) || !Array.isArray(body.rooms)) return null;
  return body.rooms.filter(isSummary);
}

/** A message that waits for moderators. */
export interface Waiting {
  readonly user: string;
  readonly id: string;
  readonly text: string;
  /** Why, in words. */
  readonly why: readonly string[];
}

/** What waits for the moderators of a room; `null` where the server does not tell the user. */
export async function moderationQueue(room: string, user: string, token: string | null): Promise<readonly Waiting[] | null> {
  const path = `${ROOMS}/${encodeURIComponent(room)}/moderation/queue`;
  const body = await answer(token === null ? `${path}?user=${encodeURIComponent(user)}` : path, token);
  if (!isObject(body) || !Array.isArray(body.queue)) return null;
  return body.queue.flatMap(waiting);
}

function waiting(item: unknown): Waiting[] {
  if (!isObject(item) || !isObject(item.message) || !isObject(item.message.user)) return [];
  const { message, edit, records } = item;
  const text = isObject(edit) && typeof edit.text === "string" ? edit.text : message.text;
  const user = isObject(message.user) ? message.user.id : null;
  if (typeof user !== "string" || typeof message.id !== "string" || typeof text !== "string") return [];
  const why = Array.isArray(records) ? records.flatMap(reasonOf) : [];
  return [{ user, id: message.id, text, why }];
}

function reasonOf(record: unknown): string[] {
  if (!isObject(record) || !isObject(record.body)) return [];
  const { kind, body } = record;
  const { label, by, reason, note } = body;
  if (kind === "decision") return [typeof label === "string" ? `flagged as ${label}` : "flagged"];
  if (kind !== "report" || typeof by !== "string" || typeof reason !== "string") return [];
  return [`reported by ${by} as ${reason}${typeof note === "string" ? ` (${note})` : ""}`];
}

async function answer(path: string, token: string | null = null): Promise<unknown> {
  try {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(path, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function told(config: unknown): string | null {
  if (!isObject(config)) return null;
  const { websocket_url: url } = config;
  return typeof url === "string" && /^wss?:\/\//.test(url) ? url : null;
}

function isSummary(room: unknown): room is RoomSummary {
  return isObject(room) && typeof room.room === "string" && typeof room.members === "number";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
