import { type Entry, type Position, before } from "./frames.ts";

/** Entries whose tags a client remembers for a room. */
export const CLIENT_TAGS = 128;

/** Before the first entry of any room. */
export const ORIGIN: Position = { seq: 0, tag: "0000000000000000" };

/** How an entry hangs on the one before it. */
export interface Link {
  readonly seq: number;
  /** The tag of the entry before `from`. */
  readonly prev: string;
  readonly tag: string;
  /** The first number that the entry covers, where that is not `seq`. */
  readonly from?: number;
}

/**
 * - `deliver`: it is the next one.
 * - `drop`: it was delivered before, this very entry.
 * - `fetch`: something is missing, or this is another log: join again from the own position.
 */
export type Verdict = "deliver" | "drop" | "fetch";

/**
 * Where a reader stands in a room's log, and the last tags it passed. A value: every change is a
 * new cursor.
 *
 * Numbers alone would not do. A failover may lose 43 and 44 and then store another 43 and 44; a
 * reader at 44 who compares numbers takes the new ones for duplicates and loses them in silence.
 */
export class RoomCursor {
  /** The last positions passed, oldest first; the newest is the reader's own. */
  readonly passed: readonly Position[];
  readonly capacity: number;

  private constructor(passed: readonly Position[], capacity: number) {
    this.passed = passed;
    this.capacity = capacity;
  }

  static at(position: Position, capacity: number = CLIENT_TAGS): RoomCursor {
    return new RoomCursor([position], Math.max(1, capacity));
  }

  get position(): Position {
    return this.passed[this.passed.length - 1] ?? ORIGIN;
  }

  /** Judges one entry; the cursor that comes back has advanced over it if it is the next one. */
  offer(link: Link): [Verdict, RoomCursor] {
    const { seq, tag } = this.position;
    if ((link.from ?? link.seq) === seq + 1 && link.prev === tag) {
      return ["deliver", this.advance({ seq: link.seq, tag: link.tag })];
    }
    return [this.tagAt(link.seq) === link.tag ? "drop" : "fetch", this];
  }

  /** Takes a position that the log itself vouches for, as `joined` does. */
  advance(position: Position): RoomCursor {
    let kept = this.passed;
    if (position.seq <= this.position.seq) {
      // A branch of the log that was not passed makes everything passed worthless.
      const same = this.tagAt(position.seq) === position.tag;
      kept = same ? kept.filter((passed) => passed.seq < position.seq) : [];
    }
    return new RoomCursor([...kept, position].slice(-this.capacity), this.capacity);
  }

  /** Also remembers positions that the log was found to hold, further back than it does. */
  remember(positions: readonly Position[]): RoomCursor {
    const oldest = this.passed[0]?.seq ?? 0;
    const further = positions.filter(({ seq }) => seq < oldest);
    const sorted = further.toSorted((one, other) => one.seq - other.seq);
    return new RoomCursor([...sorted, ...this.passed].slice(-this.capacity), this.capacity);
  }

  /** The tag passed at `seq`, as far back as remembered. */
  tagAt(seq: number): string | undefined {
    return this.passed.findLast((passed) => passed.seq === seq)?.tag;
  }
}

export function link(entry: Entry): Link {
  return {
    from: before(entry).seq + 1,
    seq: entry.position.seq,
    prev: entry.prev,
    tag: entry.position.tag,
  };
}
