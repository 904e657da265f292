import { ORIGIN } from "../cursor.ts";
import type { AckFrame } from "../frames.ts";
import { type Asked, frameOf } from "../outbox.ts";
import { resolveDoubts } from "./fork.ts";
import { rejoin } from "./rooms.ts";
import type { State } from "./state.ts";
import type { Turn } from "./turn.ts";

/** What the user asks of a room, under an id of its own. */
export function ask(turn: Turn, asked: Asked): void {
  const { self, user, outbox } = turn.state;
  const ready = isReady(turn.state)(asked.room);
  turn.update({ outbox: outbox.added(turn.at, asked, ready, self?.id ?? user) });
}

export function retry(turn: Turn, id: string): void {
  const { outbox } = turn.state;
  const command = outbox.find(id);
  if (command === undefined) return;
  turn.update({ outbox: outbox.retried(id, isReady(turn.state)(command.room)) });
}

export function acknowledged(turn: Turn, { room: name, id, position }: AckFrame): void {
  const cursor = turn.room(name)?.cursor ?? null;
  turn.update({ outbox: turn.state.outbox.acked(turn.at, id, position, cursor) });
  if (turn.room(name)?.phase.name !== "live") return;
  const tag = cursor?.tagAt(position.seq);
  // Stored in a log that is not the one read here.
  if (tag !== undefined && tag !== position.tag) rejoin(turn, name);
  else resolveDoubts(turn, name);
}

/** Sends what may be sent now. */
export function pump(turn: Turn): void {
  for (;;) {
    const { outbox, rooms } = turn.state;
    const command = outbox.nextToSend(turn.at, isReady(turn.state));
    if (command === undefined) return;
    const after = rooms.get(command.room)?.cursor?.position ?? ORIGIN;
    turn.update({ outbox: outbox.sent(turn.at, command.id, after) });
    turn.transmit(frameOf(command));
  }
}

export function nextSendDeadline(state: State): number[] {
  const next = state.outbox.nextDeadline(isReady(state));
  return next === null ? [] : [next];
}

/** The rooms that can take something: joined, and read up to their heads. */
function isReady({ phase, rooms }: State): (room: string) => boolean {
  return (room) => phase.name === "live" && rooms.get(room)?.phase.name === "live";
}
