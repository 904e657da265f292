import { type Entry, type HistoryFrame, type Position, before } from "../frames.ts";
import type { ForkSearch } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Entries asked for at once; the server's own limit of a page. */
const FORK_ENTRIES = 100;

const NOTHING: ForkSearch = { undecided: [], kept: [], lost: [], untoldTo: 0, after: 0, ref: null };

/** The log left the branch on which `passed` was read: begins to look for what of it is left. */
export function startFork(turn: Turn, name: string, passed: readonly Position[]): void {
  const earlier = turn.room(name)?.fork;
  // What a first fork kept or lost, a second may have decided otherwise.
  const first = earlier == null ? [] : [...earlier.undecided, ...earlier.kept, ...earlier.lost];
  const all = [...first, ...passed];
  const undecided = [...new Map(all.map((each) => [`${each.seq} ${each.tag}`, each])).values()];
  turn.updateRoom(name, { fork: { ...NOTHING, undecided } });
}

/** Looks for commands that are said to be where the cursor went by without seeing. */
export function resolveDoubts(turn: Turn, name: string): void {
  const room = turn.room(name);
  if (room === undefined || room.cursor === null) return;
  const fork = room.fork ?? NOTHING;
  const searched = new Set([...fork.undecided, ...fork.kept, ...fork.lost].map(({ tag }) => tag));
  const doubts = turn.state.outbox.inDoubt(name, room.cursor).filter(({ tag }) => !searched.has(tag));
  if (doubts.length > 0) {
    turn.updateRoom(name, { fork: { ...fork, undecided: [...fork.undecided, ...doubts] } });
  }
  askFork(turn, name);
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
  if (oldest === undefined) {
    turn.updateRoom(name, { fork: { ...fork, ref: null } });
    return forkUnanswered(turn, name);
  }
  // Below the answer nothing is kept, and nothing can be said.
  const start = before(oldest);
  const undecided = fork.undecided.filter(({ seq }) => seq >= start.seq);
  const untoldTo = Math.max(fork.untoldTo, start.seq - 1);
  turn.updateRoom(name, { fork: { ...fork, undecided, untoldTo, ref: null } });
  learnFork(turn, name, start, messages, more);
  askFork(turn, name);
}

/** Without an answer, only what is known to be lost is told. */
export function forkUnanswered(turn: Turn, name: string): void {
  const fork = turn.room(name)?.fork;
  if (fork != null) settle(turn, name, fork);
}

function settle(turn: Turn, name: string, { kept, lost, untoldTo }: ForkSearch): void {
  const room = turn.room(name);
  if (room === undefined) return;
  const delivered = new Set(room.delivered.map(({ tag }) => tag));
  const cursor = room.cursor?.remember(kept.filter(({ tag }) => delivered.has(tag))) ?? null;
  turn.updateRoom(name, { fork: null, delivered: [], cursor });
  const ordered = lost.toSorted((one, other) => one.seq - other.seq);
  if (lost.length > 0) turn.deliver({ type: "forked", room: name, lost: ordered });
  const outbox = turn.state.outbox.decided(turn.at, name, kept, lost).untold(name, untoldTo);
  turn.update({ outbox });
}
