import { type Entry, type HistoryFrame, type Position, before } from "../frames";
import type { ForkSearch } from "./state";
import type { Turn } from "./turn";

/** Entries asked for at once; the server's own limit of a page. */
const FORK_ENTRIES = 100;

/**
 * Begins to look for the place where the log left the branch that was read (`known`), in an
 * unbroken run of positions of the log as it is.
 */
export function startFork(
  turn: Turn,
  name: string,
  known: readonly Position[],
  run: readonly Position[],
  more: boolean,
): void {
  // A second divergence before the first is settled: what was read longest ago reaches furthest.
  const earlier = turn.room(name)?.fork?.known ?? [];
  const merged = [...earlier.filter(({ seq }) => seq < (known[0]?.seq ?? 0)), ...known];
  const reached = run[0] !== undefined && run[0].seq <= (merged[0]?.seq ?? 0);
  const fork = { known: merged, shared: null, after: below(merged), ref: null };
  compare(turn, name, fork, run, { more, reached });
}

/** Asks for the part of the log that decides, once the room is caught up. */
export function askFork(turn: Turn, name: string): void {
  const fork = turn.room(name)?.fork;
  if (fork == null || fork.ref !== null) return;
  const ref = turn.ref();
  turn.updateRoom(name, { fork: { ...fork, ref } });
  turn.transmit({ type: "history", room: name, after: fork.after, limit: FORK_ENTRIES, ref });
}

export function forkHistory(turn: Turn, frame: HistoryFrame): void {
  const { room: name, messages, more } = frame;
  const fork = turn.room(name)?.fork;
  if (fork == null) return;
  turn.deliver({ type: "history", room: name, entries: messages, more: null });
  // The answer begins right behind what was asked for, or nothing older is kept.
  const next = { ...fork, ref: null, after: messages.at(-1)?.position.seq ?? fork.after };
  compare(turn, name, next, run(messages), { more: more && messages.length > 0, reached: true });
  askFork(turn, name);
}

/** Without an answer, only what was seen on both branches counts. */
export function forkUnanswered(turn: Turn, name: string): void {
  const fork = turn.room(name)?.fork;
  if (fork != null) settle(turn, name, fork.shared ?? below(fork.known));
}

/**
 * Learns from an unbroken run of the log. `more`: whether the log goes on after it; `reached`:
 * whether nothing older could tell more.
 */
function compare(
  turn: Turn,
  name: string,
  fork: ForkSearch,
  positions: readonly Position[],
  { more, reached }: { readonly more: boolean; readonly reached: boolean },
): void {
  const tags = new Map(positions.map(({ seq, tag }) => [seq, tag]));
  const common = fork.known.filter(({ seq, tag }) => tags.get(seq) === tag);
  const shared = common.at(-1)?.seq ?? fork.shared;
  const next = fork.known.find(({ seq }) => seq > (shared ?? -1));
  const parted = next !== undefined && (positions.at(-1)?.seq ?? -1) >= next.seq;
  const decided = next === undefined || ((parted || !more) && (shared !== null || reached));
  if (decided) return settle(turn, name, shared ?? below(fork.known));
  turn.updateRoom(name, { fork: { ...fork, shared } });
}

function settle(turn: Turn, name: string, shared: number): void {
  const cursor = turn.room(name)?.cursor;
  turn.updateRoom(name, { fork: null });
  turn.deliver({ type: "forked", room: name, fork: shared });
  if (cursor != null) turn.update({ outbox: turn.state.outbox.forked(name, shared, cursor) });
}

/** The number before everything known. */
function below(known: readonly Position[]): number {
  return Math.max(0, (known[0]?.seq ?? 1) - 1);
}

/** The positions of an unbroken run of entries, with the one before it. */
function run(entries: readonly Entry[]): Position[] {
  const [oldest] = entries;
  return oldest === undefined ? [] : [before(oldest), ...entries.map(({ position }) => position)];
}
