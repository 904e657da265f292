import { RoomCursor } from "../cursor.ts";
import type { JoinRoom, Position } from "../frames.ts";
import { unlisted } from "./settings.ts";
import { ANSWER_MS, type Room, type State } from "./state.ts";
import type { Turn } from "./turn.ts";

/** How long a head that `pong` told may stay out of reach. */
const AHEAD_MS = 2_000;
/** Entries asked for when the user scrolls up. */
const OLDER_ENTRIES = 50;
/** At most one `typing` a room in this time, where the server announced none. */
const TYPING_MS = 3_000;

/** A room to be joined as soon as possible. */
export function wanted(): Room {
  return {
    phase: { name: "wanted", retryAt: 0 },
    cursor: null,
    delivered: [],
    lostTo: null,
    ahead: null,
    fork: null,
    older: null,
    typedAt: null,
    settings: null,
    settled: false,
    read: null,
    tries: 0,
  };
}

export function join(turn: Turn, name: string, since?: Position): void {
  if (turn.room(name) !== undefined) return;
  const room = { ...wanted(), cursor: since === undefined ? null : RoomCursor.at(since) };
  turn.update({ rooms: new Map(turn.state.rooms).set(name, room) });
  joinWanted(turn);
}

/** Joins what waits for it, where the connection allows it. */
export function joinWanted(turn: Turn): void {
  if (turn.state.phase.name !== "live") return;
  for (const [name, { phase }] of turn.state.rooms) {
    if (phase.name === "wanted" && phase.retryAt <= turn.at) rejoin(turn, name);
  }
}

/** Joins from the own position. For a room that is joined already this is a resync. */
export function rejoin(turn: Turn, name: string): void {
  const ref = turn.ref();
  turn.transmit({ type: "join", ...startJoin(turn, name, ref), ref });
}

/** Marks a room as joining under `ref`, and says from where. */
export function startJoin(turn: Turn, name: string, ref: string): JoinRoom {
  turn.updateRoom(name, {
    phase: { name: "joining", ref, until: turn.at + ANSWER_MS },
    ahead: null,
  });
  const since = turn.room(name)?.cursor?.position;
  return { room: name, ...(since === undefined ? {} : { since }) };
}

export function leave(turn: Turn, name: string): void {
  const room = turn.room(name);
  if (room === undefined) return;
  forget(turn, name);
  if (turn.state.phase.name !== "live" || room.phase.name === "wanted") return;
  const ref = turn.ref();
  const refs = turn.state.leaving.get(name) ?? [];
  turn.update({ leaving: new Map(turn.state.leaving).set(name, [...refs, ref]) });
  turn.transmit({ type: "leave", room: name, ref });
}

export function left(turn: Turn, name: string, reason: string | undefined): void {
  if (reason === "deleted") turn.update({ outbox: turn.state.outbox.roomDeleted(name) });
  unlisted(turn, name, reason);
  const [asked] = turn.state.leaving.get(name) ?? [];
  if (asked !== undefined) return leaveAnswered(turn, name, asked);
  if (turn.room(name) === undefined) return;
  forget(turn, name);
  turn.deliver({ type: "left", room: name, ...(reason === undefined ? {} : { reason }) });
}

export function leaveAnswered(turn: Turn, name: string, ref: string): void {
  const leaving = new Map(turn.state.leaving);
  const rest = (leaving.get(name) ?? []).filter((other) => other !== ref);
  if (rest.length > 0) leaving.set(name, rest);
  else leaving.delete(name);
  turn.update({ leaving });
}

export function forget(turn: Turn, name: string): void {
  const rooms = new Map(turn.state.rooms);
  rooms.delete(name);
  turn.update({ rooms });
}

export function typing(turn: Turn, name: string): void {
  const room = turn.room(name);
  if (room?.phase.name !== "live") return;
  const pause = turn.state.limits?.typing_ms ?? TYPING_MS;
  if (room.typedAt !== null && turn.at - room.typedAt < pause) return;
  turn.updateRoom(name, { typedAt: turn.at });
  turn.transmit({ type: "typing", room: name });
}

export function older(turn: Turn, name: string, before: number): void {
  const room = turn.room(name);
  if (room?.phase.name !== "live" || room.older !== null) return;
  const ref = turn.ref();
  turn.updateRoom(name, { older: ref });
  turn.transmit({ type: "history", room: name, before, limit: OLDER_ENTRIES, ref });
}

export function roomTimer(turn: Turn): void {
  if (turn.state.phase.name !== "live") return;
  for (const [name, { phase, ahead }] of turn.state.rooms) {
    const silent = (phase.name === "joining" || phase.name === "paging") && phase.until <= turn.at;
    const behind = ahead !== null && ahead.since + AHEAD_MS <= turn.at;
    if (silent || behind) rejoin(turn, name);
  }
  joinWanted(turn);
}

export function nextRoomDeadline(state: State): number[] {
  if (state.phase.name !== "live") return [];
  return [...state.rooms.values()].flatMap(({ phase, ahead }) => [
    ...(phase.name === "joining" || phase.name === "paging" ? [phase.until] : []),
    ...(phase.name === "wanted" ? [phase.retryAt] : []),
    ...(ahead === null ? [] : [ahead.since + AHEAD_MS]),
  ]);
}
