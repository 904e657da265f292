import { RoomCursor, link } from "../cursor.ts";
import { type Entry, type JoinedFrame, type PageFrame, type Position, before } from "../frames.ts";
import { learnFork, resolveDoubts, startFork } from "./fork.ts";
import { rejoin } from "./rooms.ts";
import { settledByJoin } from "./settings.ts";
import { ANSWER_MS } from "./state.ts";
import type { Turn } from "./turn.ts";

/** A new truth about a room: its position replaces the cursor's. */
export function joined(turn: Turn, frame: JoinedFrame): void {
  const { room: name, messages, position, head, recovered, reason, lost, more } = frame;
  const room = turn.room(name);
  if (room === undefined) return;
  const old = room.cursor;
  // What came live while a resync was under way comes again.
  const known = [...room.delivered, ...(old?.passed ?? [])];
  const entries = messages.filter((entry) => !includes(known, entry));
  const start = messages[0] === undefined ? position : before(messages[0]);
  // Beyond what was read nothing tells whether it is the same branch.
  const connected = old !== null && (recovered || start.seq <= old.position.seq);
  const base = connected ? old.advance(start) : RoomCursor.at(start);
  const cursor = messages.reduce((at, entry) => at.advance(entry.position), base).advance(position);
  const lostTo = lost === null ? room.lostTo : Math.max(lost.to, room.lostTo ?? 0);
  turn.updateRoom(name, { cursor, delivered: known, lostTo, ahead: null, tries: 0 });

  settledByJoin(turn, name);
  const { members_count, members } = frame;
  turn.deliver({ type: "joined", room: name, recovered, reason, lost, entries, members_count, members });
  const elsewhere = !recovered && reason !== "trimmed" && reason !== "damaged";
  if (elsewhere) turn.update({ outbox: turn.state.outbox.forked(name, cursor) });
  passed(turn, name, entries, head);
  if (elsewhere && old !== null) startFork(turn, name, known);
  learnFork(turn, name, start, messages, more);
  if (more) turn.updateRoom(name, { phase: { name: "paging", until: turn.at + ANSWER_MS } });
  else caughtUp(turn, name);
}

/** What follows the first page hangs on it. */
export function page(turn: Turn, frame: PageFrame): void {
  const { room: name, messages, position, more } = frame;
  const room = turn.room(name);
  if (room?.phase.name !== "paging" || room.cursor === null) return;
  let cursor = room.cursor;
  const entries: Entry[] = [];
  for (const entry of messages) {
    const [verdict, next] = cursor.offer(link(entry));
    if (verdict === "fetch") break;
    if (verdict === "deliver" && !includes(room.delivered, entry)) entries.push(entry);
    cursor = next;
  }
  turn.updateRoom(name, { cursor });
  if (entries.length > 0) turn.deliver({ type: "entries", room: name, entries });
  passed(turn, name, entries, null);
  const { seq, tag } = cursor.position;
  if (seq !== position.seq || tag !== position.tag) return rejoin(turn, name);
  learnFork(turn, name, room.cursor.position, messages, more);
  if (more) turn.updateRoom(name, { phase: { name: "paging", until: turn.at + ANSWER_MS } });
  else caughtUp(turn, name);
}

/** A live entry. */
export function entry(turn: Turn, frame: Entry): void {
  const { room: name } = frame;
  const room = turn.room(name);
  if (room === undefined || room.cursor === null) return;
  const [verdict, cursor] = room.cursor.offer(link(frame));
  switch (verdict) {
    case "drop":
      return;
    case "fetch":
      // While joining or paging, the answer to come covers it.
      return room.phase.name === "live" ? rejoin(turn, name) : undefined;
    case "deliver": {
      const reached = room.ahead !== null && cursor.position.seq >= room.ahead.position.seq;
      turn.updateRoom(name, { cursor, ahead: reached ? null : room.ahead });
      turn.deliver({ type: "entries", room: name, entries: [frame] });
      passed(turn, name, [frame], null);
      const told = room.ahead?.position;
      const tag = told && cursor.tagAt(told.seq);
      if (tag !== undefined && tag !== told?.tag) rejoin(turn, name);
    }
  }
}

function passed(turn: Turn, name: string, entries: readonly Entry[], head: Position | null): void {
  const cursor = turn.room(name)?.cursor;
  if (cursor == null) return;
  const outbox = turn.state.outbox.passed(turn.at, entries).reviewed(turn.at, name, cursor, head);
  turn.update({ outbox });
}

function caughtUp(turn: Turn, name: string): void {
  const room = turn.room(name);
  if (room === undefined || room.cursor === null) return;
  turn.update({ outbox: turn.state.outbox.caughtUp(name, room.lostTo) });
  turn.updateRoom(name, { phase: { name: "live" }, lostTo: null });
  if (room.fork === null) turn.updateRoom(name, { delivered: [] });
  resolveDoubts(turn, name);
}

function includes(positions: readonly Position[], { position }: Entry): boolean {
  return positions.some(({ seq, tag }) => seq === position.seq && tag === position.tag);
}
