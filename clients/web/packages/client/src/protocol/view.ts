import type { ViewEvent } from "../protocol/connection/state.ts";
import type { User } from "../protocol/frames.ts";
import { EMPTY, type Timeline, shown } from "../protocol/timeline.ts";

/** How long somebody counts as typing after the last sign of it. */
export const TYPING_MS = 5_000;

/** What is shown of one room. */
export interface RoomView {
  readonly timeline: Timeline;
  /** At most as many as the server lists; `membersCount` counts all. */
  readonly members: readonly User[];
  readonly membersCount: number;
  readonly typing: readonly { readonly user: User; readonly until: number }[];
  readonly unread: number;
}

export type Views = ReadonlyMap<string, RoomView>;

export const BLANK: RoomView = {
  timeline: EMPTY,
  members: [],
  membersCount: 0,
  typing: [],
  unread: 0,
};

export interface Reader {
  readonly self: string | null;
  /** The room before his eyes. */
  readonly reading: string | null;
}

export function viewed(views: Views, event: ViewEvent, now: number, reader: Reader): Views {
  if (event.type === "refused") return views;
  const next = new Map(views);
  if (event.type === "left") {
    next.delete(event.room);
    return next;
  }
  const before = views.get(event.room) ?? BLANK;
  const view = changed({ ...before, timeline: shown(before.timeline, event) }, event, now);
  const unread = event.room === reader.reading ? 0 : view.unread + unseen(before, event, reader);
  return next.set(event.room, { ...view, unread });
}

/** Forgets who stopped typing; the same value when that is nobody. */
export function settled(views: Views, now: number): Views {
  const stale = [...views].filter(([, { typing }]) => typing.some(({ until }) => until <= now));
  if (stale.length === 0) return views;
  const next = new Map(views);
  for (const [room, view] of stale) {
    next.set(room, { ...view, typing: view.typing.filter(({ until }) => until > now) });
  }
  return next;
}

export function read(views: Views, room: string): Views {
  const view = views.get(room);
  return view === undefined || view.unread === 0 ? views : new Map(views).set(room, { ...view, unread: 0 });
}

function changed(view: RoomView, event: ViewEvent, now: number): RoomView {
  switch (event.type) {
    case "joined":
      return { ...view, members: event.members, membersCount: event.members_count };
    case "presence": {
      const { joined, left, members_count: membersCount } = event;
      const gone = joined?.id ?? left?.id;
      const others = view.members.filter(({ id }) => id !== gone);
      return { ...view, membersCount, members: joined === undefined ? others : [...others, joined] };
    }
    case "typing": {
      const others = view.typing.filter(({ user }) => user.id !== event.user.id);
      return { ...view, typing: [...others, { user: event.user, until: now + TYPING_MS }] };
    }
    case "entries": {
      const wrote = new Set(event.entries.flatMap((entry) => (entry.type === "message" ? [entry.user.id] : [])));
      return { ...view, typing: view.typing.filter(({ user }) => !wrote.has(user.id)) };
    }
    case "history":
    case "forked":
    case "receipt":
    case "left":
    case "refused":
      return view;
  }
}

/** How many messages of others came; those of the first visit are no news. */
function unseen(before: RoomView, event: ViewEvent, { self }: Reader): number {
  if (event.type !== "entries" && event.type !== "joined") return 0;
  if (event.type === "joined" && before.timeline.items.length === 0) return 0;
  return event.entries.filter((entry) => entry.type === "message" && entry.user.id !== self).length;
}
