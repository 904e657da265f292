import type { State } from "./state.ts";
import type { Turn } from "./turn.ts";

/**
 * The pause between two `read` of a room. The server takes one a second and drops others in
 * silence; the network may bring two closer together than they were sent.
 */
const PAUSE_MS = 1_500;

/** The user has read up to a number. It never goes back, so only the highest is told; 0 asks. */
export function read(turn: Turn, name: string, seq: number): void {
  const room = turn.room(name);
  if (room === undefined || (room.read !== null && room.read.seq >= seq)) return;
  turn.updateRoom(name, { read: { seq, sent: false } });
}

/** Tells the server what it was not told, where the pause is over. */
export function tellRead(turn: Turn): void {
  for (const [name, { read }] of turn.state.rooms) {
    if (read === null || !isDue(turn, name)) continue;
    turn.updateRoom(name, { read: { ...read, sent: true }, readAt: turn.at });
    turn.transmit({ type: "read", room: name, seq: read.seq });
  }
}

/** The server told how far the user has read, on whichever of his connections. */
export function readAnswered(turn: Turn, name: string, seq: number): void {
  const read = turn.room(name)?.read;
  if (read != null && read.seq <= seq) turn.updateRoom(name, { read: null });
}

export function nextReadDeadline(state: State): number[] {
  if (state.phase.name !== "live") return [];
  return [...state.rooms.values()].flatMap(({ phase, read, readAt }) =>
    phase.name === "live" && read !== null && !read.sent && readAt !== null ? [readAt + PAUSE_MS] : [],
  );
}

function isDue({ state, at }: Turn, name: string): boolean {
  const room = state.rooms.get(name);
  if (state.phase.name !== "live" || room?.phase.name !== "live") return false;
  return room.read?.sent === false && (room.readAt === null || room.readAt + PAUSE_MS <= at);
}
