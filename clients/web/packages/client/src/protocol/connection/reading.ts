import { ANSWER_MS, type Room, type State } from "./state.ts";
import type { Turn } from "./turn.ts";

/**
 * The pause between two `read` of a connection. The server takes one a second and drops others in
 * silence; the network may bring two closer together than they were sent.
 */
const PAUSE_MS = 1_200;

/** The user has read up to a number. It never goes back, so only the highest is told; 0 asks. */
export function read(turn: Turn, name: string, seq: number): void {
  const room = turn.room(name);
  if (room === undefined || (room.read !== null && room.read.seq >= seq)) return;
  turn.updateRoom(name, { read: { seq, sentAt: null } });
}

/** Tells the server what it was not told, one room at a time. */
export function tellRead(turn: Turn): void {
  const { phase, rooms, readAt } = turn.state;
  if (phase.name !== "live" || (readAt !== null && readAt + PAUSE_MS > turn.at)) return;
  const due = [...rooms].flatMap(([name, room]) => {
    const isDue = room.read !== null && (dueAt(room) ?? Infinity) <= turn.at;
    return isDue ? [{ name, read: room.read }] : [];
  });
  // What was read comes before questions.
  const next = due.find(({ read }) => read.seq > 0) ?? due[0];
  if (next === undefined) return;
  const { name, read } = next;
  turn.updateRoom(name, { read: { ...read, sentAt: turn.at } });
  turn.update({ readAt: turn.at });
  turn.transmit({ type: "read", room: name, seq: read.seq });
}

/** The server told how far the user has read, on whichever of his connections. */
export function readAnswered(turn: Turn, name: string, seq: number): void {
  const { read, cursor } = turn.room(name) ?? {};
  if (read == null) return;
  // After a failover the log may end before what was read.
  const beyond = read.seq > (cursor?.position.seq ?? 0);
  if (read.seq <= seq || (beyond && read.sentAt !== null)) turn.updateRoom(name, { read: null });
}

export function nextReadDeadline({ phase, rooms, readAt }: State): number[] {
  if (phase.name !== "live") return [];
  const from = readAt === null ? 0 : readAt + PAUSE_MS;
  return [...rooms.values()].flatMap((room) => {
    const due = dueAt(room);
    return due === null ? [] : [Math.max(due, from)];
  });
}

/** When a room's `read` may be sent: at once, or again where no answer came. */
function dueAt({ phase, read }: Room): number | null {
  if (phase.name !== "live" || read === null) return null;
  return read.sentAt === null ? 0 : read.sentAt + ANSWER_MS;
}
