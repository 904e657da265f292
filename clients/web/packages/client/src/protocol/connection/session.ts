import type { WelcomeFrame } from "../frames.ts";
import { CLOSES, type Retry } from "../generated/codes.ts";
import { forgetManaging } from "./management.ts";
import { expires, needsToken, renew } from "./renewal.ts";
import { joinWanted, startJoin } from "./rooms.ts";
import { ANSWER_MS, type Room, type State } from "./state.ts";
import type { Turn } from "./turn.ts";

/** The longest first pause before a new connection; it doubles with each that does not last. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
/** A connection that lasted this long was a good one. */
const LASTING_MS = 10_000;

/** What a browser reports of a connection that ended without a close frame. */
const ABNORMAL = 1006;
const NORMAL = 1000;
/** What the server closes with for the sake of the token (codes.json). */
const UNAUTHORIZED = 4002;
const TOKEN_EXPIRED = 4005;

export function connect(turn: Turn): void {
  if (!needsToken(turn.state, turn.at)) return open(turn);
  turn.update({ phase: { name: "authorizing", until: turn.at + ANSWER_MS } });
  turn.emit({ type: "want_token" });
}

export function token(turn: Turn, token: string | null): void {
  const { phase } = turn.state;
  if (token !== null) turn.update({ token, renewAt: null });
  if (phase.name === "live") return renew(turn, token);
  if (phase.name !== "authorizing") return;
  if (token === null) again(turn, TOKEN_EXPIRED, "backoff");
  else open(turn);
}

function open(turn: Turn): void {
  const connection = turn.state.connection + 1;
  turn.update({
    connection,
    refusal: null,
    phase: { name: "connecting", until: turn.at + ANSWER_MS },
  });
  turn.emit({ type: "connect", connection });
}

export function hello(turn: Turn): void {
  const { user, token } = turn.state;
  const ref = turn.ref();
  const rooms = [...turn.state.rooms.keys()].map((room) => startJoin(turn, room, ref));
  turn.update({ phase: { name: "greeting", until: turn.at + ANSWER_MS } });
  turn.transmit({ type: "hello", user, token, rooms, ref });
}

export function welcomed(turn: Turn, { user, limits, rooms, role, expires_at }: WelcomeFrame): void {
  if (turn.state.phase.name !== "greeting") return;
  turn.update({
    self: user,
    role: role ?? "member",
    limits,
    listed: rooms,
    outbox: turn.state.outbox.welcomed(turn.state.connection, user.id, limits.messages_per_second),
    phase: { name: "live", since: turn.at, pingAt: turn.at + limits.ping_ms, pongBy: null, leaveAt: null },
  });
  expires(turn, expires_at);
  joinWanted(turn);
}

/** The server goes away: move on before it does, but not with everyone at once. */
export function draining(turn: Turn, afterMs: number): void {
  const { phase } = turn.state;
  if (phase.name !== "live") return;
  turn.update({ phase: { ...phase, leaveAt: turn.at + Math.floor(turn.random * afterMs) } });
}

export function ponged(turn: Turn): void {
  const { phase, limits } = turn.state;
  if (phase.name !== "live" || limits === null) return;
  turn.update({ phase: { ...phase, pongBy: null, pingAt: turn.at + limits.ping_ms } });
}

export function closed(turn: Turn, code: number): void {
  const { phase, refusal, tokens } = turn.state;
  const lasted = phase.name === "live" && turn.at - phase.since >= LASTING_MS;
  if (lasted) turn.update({ attempt: 0 });
  forgetConnection(turn);
  if (tokens && (code === TOKEN_EXPIRED || code === UNAUTHORIZED)) turn.update({ token: null });
  const retry = tokens && code === TOKEN_EXPIRED ? "now" : retryAfter(code);
  if (retry === "never") {
    const message = refusal ?? CLOSES.get(code)?.sentence ?? "the server closed the connection for good";
    return turn.update({ phase: { name: "stopped", code, message } });
  }
  again(turn, code, retry);
}

/** Tries again, now or after a pause. */
function again(turn: Turn, code: number, retry: Exclude<Retry, "never">): void {
  const { attempt } = turn.state;
  const pause = retry === "now" && attempt === 0 ? 0 : pauseAfter(attempt, turn.random);
  turn.update({ attempt: attempt + 1, phase: { name: "waiting", retryAt: turn.at + pause, code } });
  if (pause === 0) connect(turn);
}

/** The range of a code tells what to do where the table does not know it. */
function retryAfter(code: number): Retry {
  const known = CLOSES.get(code);
  if (known !== undefined) return known.retry;
  return code >= 4000 && code < 4500 ? "never" : "backoff";
}

/** Exponential, with full jitter: clients that lost one edge together do not return together. */
function pauseAfter(attempt: number, random: number): number {
  return Math.floor(random * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16)));
}

function forgetConnection(turn: Turn): void {
  forgetManaging(turn);
  const rooms = new Map<string, Room>();
  for (const [name, room] of turn.state.rooms) {
    const fork = room.fork === null ? null : { ...room.fork, ref: null };
    const phase = { name: "wanted", retryAt: 0 } as const;
    const read = room.read && { ...room.read, sentAt: null };
    rooms.set(name, { ...room, phase, fork, read, ahead: null, older: null, settled: false });
  }
  turn.update({ rooms, leaving: new Map(), renewing: null, readAt: null });
}

export function network(turn: Turn, online: boolean): void {
  turn.update({ online });
  if (!online) return;
  const { phase } = turn.state;
  if (phase.name === "waiting") return reconnect(turn);
  // A change of network often leaves a connection that is dead without a sign.
  if (phase.name === "live" && phase.pongBy === null) ping(turn);
}

export function reconnect(turn: Turn): void {
  const { name } = turn.state.phase;
  if (name !== "waiting" && name !== "stopped") return;
  turn.update({ attempt: 0 });
  connect(turn);
}

export function rename(turn: Turn, user: string): void {
  turn.update({ user, self: null });
  if (turn.state.phase.name === "idle") return;
  abandon(turn);
  turn.update({ attempt: 0 });
  connect(turn);
}

/** Ends the connection, if there is one, without waiting for the peer. */
function abandon(turn: Turn): void {
  const { phase, connection } = turn.state;
  if (phase.name === "connecting" || phase.name === "greeting" || phase.name === "live") {
    turn.emit({ type: "close", connection, code: NORMAL });
  }
  forgetConnection(turn);
}

function ping(turn: Turn): void {
  const { phase } = turn.state;
  if (phase.name !== "live") return;
  turn.update({ phase: { ...phase, pongBy: turn.at + ANSWER_MS } });
  turn.transmit({ type: "ping" });
}

export function sessionTimer(turn: Turn): void {
  const { phase, connection } = turn.state;
  switch (phase.name) {
    case "idle":
    case "stopped":
      return;
    case "waiting":
      return phase.retryAt <= turn.at ? connect(turn) : undefined;
    case "authorizing":
      return phase.until <= turn.at ? again(turn, TOKEN_EXPIRED, "backoff") : undefined;
    case "connecting":
    case "greeting":
      if (phase.until > turn.at) return;
      turn.emit({ type: "close", connection, code: NORMAL });
      return closed(turn, ABNORMAL);
    case "live":
      if (phase.leaveAt !== null && phase.leaveAt <= turn.at) {
        abandon(turn);
        return connect(turn);
      }
      if (phase.pongBy !== null) {
        if (phase.pongBy > turn.at) return;
        turn.emit({ type: "close", connection, code: NORMAL });
        return closed(turn, ABNORMAL);
      }
      return phase.pingAt <= turn.at ? ping(turn) : undefined;
  }
}

export function nextSessionDeadline({ phase }: State): number[] {
  switch (phase.name) {
    case "idle":
    case "stopped":
      return [];
    case "waiting":
      return [phase.retryAt];
    case "authorizing":
    case "connecting":
    case "greeting":
      return [phase.until];
    case "live":
      return [phase.pongBy ?? phase.pingAt, ...(phase.leaveAt === null ? [] : [phase.leaveAt])];
  }
}
