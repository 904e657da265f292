import { type Entry, type HistoryFrame, type Position, before } from "../frames.ts";
import type { ForkSearch } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Entries asked for at once; the server's own limit of a page. */
const FORK_ENTRIES = 100;

/** The log left the branch on which `passed` was read: begins to look for what of it is left. */
export function startFork(turn: Turn, name: string, passed: readonly Position[]): void {
  const earlier = turn.room(name)?.fork;
  // What a first fork kept or lost, a second may have decided otherwise.
  const first = earlier == null ? [] : [...earlier.undecided, ...earlier.kept, ...earlier.lost];
  const all = [...first, ...passed, ...turn.state.outbox.stored(name)];
  const undecided = [...new Map(all.map((each) => [`${each.seq} ${each.tag}`, each])).values()];
  turn.updateRoom(name, { fork: { undecided, kept: [], lost: [], after: 0, ref: null } });
}

/** Learns from a part of the log as it is: the entries, without a hole, that follow `start`. */
export function learnFork(
  turn: Turn,
  name: string,
  start: Position,
  entries: readonly Entry[],
  more: boolean,
): void {
  const fork = turn.room(name)?.fork;
  if (fork == null) return;
  const run = [start, ...entries.map(({ position }) => position)];
  const tags = new Map(run.map(({ seq, tag }) => [seq, tag]));
  const end = more ? Math.max(...tags.keys()) : Infinity;
  const covered = ({ seq }: Position) => seq >= start.seq && seq <= end;
  const decided = fork.undecided.filter(covered);
  const isKept = ({ seq, tag }: Position) => tags.get(seq) === tag;
  turn.updateRoom(name, {
    fork: {
      ...fork,
      undecided: fork.undecided.filter((each) => !covered(each)),
      kept: [...fork.kept, ...decided.filter(isKept)],
      lost: [...fork.lost, ...decided.filter((each) => !isKept(each))],
    },
  });
}

/** Asks for the part of the log that decides, once the room is caught up. */
export function askFork(turn: Turn, name: string): void {
  const fork = turn.room(name)?.fork;
  if (fork == null || fork.ref !== null) return;
  if (fork.undecided.length === 0) return settle(turn, name, fork);
  const after = Math.max(0, Math.min(...fork.undecided.map(({ seq }) => seq)) - 1);
  const ref = turn.ref();
  turn.updateRoom(name, { fork: { ...fork, after, ref } });
  turn.transmit({ type: "history", room: name, after, limit: FORK_ENTRIES, ref });
}

export function forkHistory(turn: Turn, { room: name, messages, more }: HistoryFrame): void {
  const fork = turn.room(name)?.fork;
  if (fork == null) return;
  turn.deliver({ type: "history", room: name, entries: messages, more: null });
  const [oldest] = messages;
  // Below the answer nothing is kept, and nothing can be said.
  const start = oldest === undefined ? null : before(oldest);
  const from = start?.seq ?? fork.after + 1;
  const undecided = fork.undecided.filter(({ seq }) => seq >= from);
  turn.updateRoom(name, { fork: { ...fork, undecided, ref: null } });
  if (start !== null) learnFork(turn, name, start, messages, more);
  else forkUnanswered(turn, name);
  askFork(turn, name);
}

/** Without an answer, only what is known to be lost is told. */
export function forkUnanswered(turn: Turn, name: string): void {
  const fork = turn.room(name)?.fork;
  if (fork != null) settle(turn, name, fork);
}

function settle(turn: Turn, name: string, { kept, lost }: ForkSearch): void {
  const room = turn.room(name);
  if (room === undefined) return;
  const delivered = new Set(room.delivered.map(({ tag }) => tag));
  const cursor = room.cursor?.remember(kept.filter(({ tag }) => delivered.has(tag))) ?? null;
  turn.updateRoom(name, { fork: null, delivered: [], cursor });
  const ordered = lost.toSorted((one, other) => one.seq - other.seq);
  if (lost.length > 0) turn.deliver({ type: "forked", room: name, lost: ordered });
  turn.update({ outbox: turn.state.outbox.forked(name, lost) });
}
