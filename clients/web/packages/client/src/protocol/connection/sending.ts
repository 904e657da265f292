import { ORIGIN } from "../cursor.ts";
import type { AckFrame } from "../frames.ts";
import { type Command, type Request, requestOf } from "../outbox.ts";
import { rejoin } from "./rooms.ts";
import type { State } from "./state.ts";
import type { Turn } from "./turn.ts";

/** What the user asks of a room, under an id of its own. */
export function ask(turn: Turn, request: Request & { readonly room: string; readonly id: string }): void {
  const { id, room } = request;
  const { self, user } = turn.state;
  const command: Command = {
    ...requestOf(request),
    id,
    room,
    created_at_ms: turn.at,
    tries: 0,
    user: null,
    after: null,
    state: "waiting",
    not_before_ms: 0,
    paced: mustQueue(turn.state, room),
  };
  turn.update({ outbox: turn.state.outbox.added(command, self?.id ?? user) });
}

export function retry(turn: Turn, id: string): void {
  const { outbox } = turn.state;
  const command = outbox.find(id);
  if (command === undefined) return;
  turn.update({ outbox: outbox.retried(id, mustQueue(turn.state, command.room)) });
}

/** What the user writes goes out at once, unless others wait: then it takes its turn. */
function mustQueue({ phase, rooms, outbox }: State, room: string): boolean {
  return phase.name !== "live" || rooms.get(room)?.phase.name !== "live" || outbox.waits(room);
}

export function acknowledged(turn: Turn, { room: name, id, position }: AckFrame): void {
  const cursor = turn.room(name)?.cursor ?? null;
  turn.update({ outbox: turn.state.outbox.acked(turn.at, id, position, cursor) });
  const tag = cursor?.tagAt(position.seq);
  // Stored in a log that is not the one read here.
  const elsewhere = tag !== undefined && tag !== position.tag;
  if (elsewhere && turn.room(name)?.phase.name === "live") rejoin(turn, name);
}

/** Sends what may be sent now. Nothing overtakes what was written before it in its room. */
export function pump(turn: Turn): void {
  for (const command of sendable(turn.state)) {
    if (due(turn.state, command) > turn.at) continue;
    const { connection, self, outbox, rooms } = turn.state;
    const after = rooms.get(command.room)?.cursor?.position ?? ORIGIN;
    if (command.paced) turn.update({ pacedAt: turn.at + pace(turn.state) });
    turn.update({ outbox: outbox.sent(command.id, connection, self?.id ?? "", after) });
    turn.transmit({ ...requestOf(command), room: command.room, id: command.id });
  }
}

export function nextSendDeadline(state: State): number[] {
  return sendable(state).map((command) => due(state, command));
}

type Waiting = Extract<Command, { state: "waiting" }>;

/** The first waiting command of each room that can take it. */
function sendable({ phase, rooms, outbox }: State): Waiting[] {
  if (phase.name !== "live") return [];
  const first = new Map<string, Waiting>();
  for (const command of outbox.commands) {
    if (command.state !== "waiting" || first.has(command.room)) continue;
    if (rooms.get(command.room)?.phase.name === "live") first.set(command.room, command);
  }
  return [...first.values()];
}

function due({ pacedAt }: State, { paced, not_before_ms }: Waiting): number {
  return paced ? Math.max(pacedAt, not_before_ms) : not_before_ms;
}

/** Milliseconds between paced commands: half the announced rate leaves room for what is new. */
function pace({ limits }: State): number {
  return Math.ceil(2_000 / (limits?.messages_per_second ?? 1));
}
