import type { ViewEvent } from "./connection/state.ts";
import {
  type ChangedFrame,
  type Entry,
  type Lost,
  type MessageFrame,
  type Position,
  type Reason,
  type SkippedFrame,
  first,
} from "./frames.ts";

/** What one room shows: the log as far as it was read, in its order, each entry once. */
export interface Timeline {
  readonly items: readonly Item[];
  /** Whether the log has entries before the oldest item; `null`: not known. */
  readonly more: boolean | null;
}

/**
 * - `message`; `lost`: a failover lost it, and it has not come again.
 * - `changed`: what became of a message, wherever that stands (`changesOf` folds them).
 * - `skipped`: holds a place in the log, and is not shown.
 * - `gone`: numbers that cannot be had any more.
 */
export type Item =
  | { readonly type: "message"; readonly entry: MessageFrame; readonly lost: boolean }
  | { readonly type: "changed"; readonly entry: ChangedFrame }
  | { readonly type: "skipped"; readonly entry: SkippedFrame }
  | { readonly type: "gone"; readonly lost: Lost; readonly reason: Reason };

export const EMPTY: Timeline = { items: [], more: null };

/** The most items kept; older ones can be asked for again. */
const MOST_ITEMS = 2_000;

export function shown(timeline: Timeline, event: ViewEvent): Timeline {
  switch (event.type) {
    case "joined":
      return joined(timeline, event);
    case "entries":
      return bounded(merged(timeline, event.entries));
    case "history":
      return history(timeline, event);
    case "forked":
      return forked(timeline, event.lost);
    case "left":
      return EMPTY;
    case "presence":
    case "typing":
    case "receipt":
    case "room":
    case "answered":
    case "refused":
      return timeline;
  }
}

/** The lowest number that was read. */
export function oldest({ items: [item] }: Timeline): number | null {
  return item === undefined ? null : span(item).from;
}

/** The highest number that was read; 0 if there is none. */
export function newest({ items }: Timeline): number {
  return items.reduce((highest, item) => (isLost(item) ? highest : Math.max(highest, span(item).to)), 0);
}

/** Whether the log may have entries before those that were read. */
export function hasOlder(timeline: Timeline): boolean {
  return timeline.more !== false && (oldest(timeline) ?? 1) > 1;
}

/** The numbers that an item covers. */
export function span(item: Item): Lost {
  if (item.type === "gone") return item.lost;
  return { from: first(item.entry), to: item.entry.position.seq };
}

function joined(timeline: Timeline, event: Extract<ViewEvent, { type: "joined" }>): Timeline {
  const { reason, lost, entries } = event;
  const told = lost !== null && reason !== null;
  const next = told ? inserted(timeline, { type: "gone", lost, reason }) : timeline;
  return bounded(merged(next, entries));
}

function history(timeline: Timeline, event: Extract<ViewEvent, { type: "history" }>): Timeline {
  const { entries, more } = event;
  const next = merged(timeline, entries);
  if (more === null) return next;
  const [oldest] = entries;
  const atTop = oldest === undefined || (next.items[0] !== undefined && span(next.items[0]).from === first(oldest));
  return atTop ? { ...next, more } : next;
}

function forked(timeline: Timeline, positions: readonly Position[]): Timeline {
  const tags = new Set(positions.map(({ tag }) => tag));
  const items = timeline.items.flatMap((item): Item[] => {
    if (item.type === "gone" || !tags.has(item.entry.position.tag)) return [item];
    return item.type === "message" ? [{ ...item, lost: true }] : [];
  });
  // Some of it may have come again already.
  const arrived = new Set(items.filter((item) => !isLost(item)).map(identity));
  return { ...timeline, items: items.filter((item) => !isLost(item) || !arrived.has(identity(item))) };
}

function merged(timeline: Timeline, entries: readonly Entry[]): Timeline {
  return entries.reduce((next, entry) => inserted(next, itemOf(entry)), timeline);
}

export function itemOf(entry: Entry): Item {
  switch (entry.type) {
    case "message":
      return { type: "message", entry, lost: false };
    case "changed":
      return { type: "changed", entry };
    case "skipped":
      return { type: "skipped", entry };
  }
}

/** Puts one item in its place; what the log says of that place now is what counts. */
function inserted(timeline: Timeline, item: Item): Timeline {
  const kept = timeline.items.flatMap((other): Item[] => {
    if ((isLost(other) || other.type === "gone") && identity(other) === identity(item)) return [];
    if (item.type === "gone" || other.type === "gone") return [other];
    if (other.entry.position.seq !== item.entry.position.seq || isLost(other)) return [other];
    if (other.entry.position.tag === item.entry.position.tag) return [];
    return other.type === "message" ? [{ ...other, lost: true }] : [];
  });
  const { from } = span(item);
  const after = kept.findLastIndex((other) => span(other).from <= from);
  return { ...timeline, items: kept.toSpliced(after + 1, 0, item) };
}

function bounded(timeline: Timeline): Timeline {
  if (timeline.items.length <= MOST_ITEMS) return timeline;
  return { ...timeline, items: timeline.items.slice(-MOST_ITEMS / 2), more: true };
}

function isLost(item: Item): boolean {
  return item.type === "message" && item.lost;
}

/** A message is the same one wherever in the log it stands. */
function identity(item: Item): string {
  if (item.type === "message") return `message ${item.entry.user.id} ${item.entry.id}`;
  const { from, to } = span(item);
  return `${item.type} ${from} ${to}`;
}

/** For each item, the numbers before it that were not read yet, or `null`. */
export function gaps(items: readonly Item[]): readonly (Lost | null)[] {
  let reached: number | null = null;
  return items.map((item) => {
    if (isLost(item)) return null;
    const { from, to } = span(item);
    const gap = reached !== null && reached + 1 < from ? { from: reached + 1, to: from - 1 } : null;
    reached = Math.max(to, reached ?? 0);
    return gap;
  });
}
