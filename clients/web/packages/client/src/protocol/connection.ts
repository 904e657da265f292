import { RoomCursor } from "./cursor.ts";
import { type Command, Outbox } from "./outbox.ts";
import {
  closed,
  connect,
  hello,
  network,
  nextSessionDeadline,
  reconnect,
  rename,
  sessionTimer,
  token,
} from "./connection/session.ts";
import { manage, managementTimer, nextManagementDeadline, sendManagement } from "./connection/management.ts";
import { nextReadDeadline, read, tellRead } from "./connection/reading.ts";
import { received } from "./connection/receive.ts";
import { nextRenewalDeadline, renewalTimer } from "./connection/renewal.ts";
import { join, leave, nextRoomDeadline, older, roomTimer, typing, wanted } from "./connection/rooms.ts";
import { ask, nextSendDeadline, pump, retry } from "./connection/sending.ts";
import type { Effect, Input, Now, Room, State } from "./connection/state.ts";
import { Turn } from "./connection/turn.ts";

export const IDLE: State = {
  phase: { name: "idle" },
  connection: 0,
  attempt: 0,
  online: true,
  user: null,
  token: null,
  tokens: false,
  renewAt: null,
  renewing: null,
  self: null,
  role: "member",
  expiresAt: null,
  limits: null,
  listed: [],
  rooms: new Map(),
  leaving: new Map(),
  readAt: null,
  managing: new Map(),
  outbox: Outbox.restored([]),
  nextRef: 1,
  refusal: null,
  wakeAt: null,
};

/**
 * The whole client but for sockets, timers and storage: what happens goes in, what is to be done
 * comes out. The caller
 *
 * 1. feeds one input with the time and a random number,
 * 2. keeps the state that comes back,
 * 3. performs the effects in their order,
 * 4. feeds `timer` at the moment that the last `wake_at` named.
 */
export function step(state: State, input: Input, now: Now): [State, readonly Effect[]] {
  const turn = new Turn(state, now);
  handle(turn, input);
  sendManagement(turn);
  pump(turn);
  tellRead(turn);
  return turn.end(nextDeadline(turn.state));
}

function handle(turn: Turn, input: Input): void {
  switch (input.type) {
    case "started":
      return started(turn, input);
    case "opened":
      return isCurrent(turn, input) ? hello(turn) : undefined;
    case "frame":
      return isCurrent(turn, input) ? received(turn, input.frame) : undefined;
    case "closed":
      return isCurrent(turn, input) ? closed(turn, input.code) : undefined;
    case "timer":
      sessionTimer(turn);
      renewalTimer(turn);
      managementTimer(turn);
      return roomTimer(turn);
    case "network":
      return network(turn, input.online);
    case "token":
      return token(turn, input.token);
    case "send":
    case "edit":
    case "delete":
    case "react":
      return ask(turn, input);
    case "retry":
      return retry(turn, input.id);
    case "discard":
      return turn.update({ outbox: turn.state.outbox.discarded(input.id) });
    case "join":
      return join(turn, input.room, input.since);
    case "leave":
      return leave(turn, input.room);
    case "typing":
      return typing(turn, input.room);
    case "read":
      return read(turn, input.room, input.seq);
    case "manage":
      return manage(turn, input);
    case "history":
      return older(turn, input.room, input.before);
    case "rename":
      return rename(turn, input.user);
    case "reconnect":
      return reconnect(turn);
  }
}

/** What still needs its room. */
const OPEN: ReadonlySet<Command["state"]> = new Set(["waiting", "sent", "acked"]);

function started(turn: Turn, input: Extract<Input, { type: "started" }>): void {
  const outbox = Outbox.restored(input.outbox);
  const open = outbox.commands.filter(({ state }) => OPEN.has(state));
  const names = new Set([...input.rooms, ...open.map((command) => command.room)]);
  const rooms = new Map<string, Room>();
  for (const name of names) {
    const position = outbox.resumeAt(name);
    rooms.set(name, { ...wanted(), cursor: position && RoomCursor.at(position) });
  }
  const { user, token, tokens = false } = input;
  turn.update({ user, token, tokens, rooms, outbox });
  connect(turn);
}

function isCurrent(turn: Turn, input: { readonly connection: number }): boolean {
  const { phase, connection } = turn.state;
  if (input.connection !== connection) return false;
  return phase.name === "connecting" || phase.name === "greeting" || phase.name === "live";
}

function nextDeadline(state: State): number | null {
  const all = [
    ...nextSessionDeadline(state),
    ...nextRenewalDeadline(state),
    ...nextRoomDeadline(state),
    ...nextReadDeadline(state),
    ...nextManagementDeadline(state),
    ...nextSendDeadline(state),
  ];
  return all.length === 0 ? null : Math.min(...all);
}
