import type { ViewEvent } from "./connection/state.ts";
import type { User } from "./frames.ts";
import { EMPTY, type Timeline, shown } from "./timeline.ts";

/** How long somebody counts as typing after the last sign of it. */
export const TYPING_MS = 5_000;

/** What is known of one room. */
export interface RoomView {
  readonly timeline: Timeline;
  /** At most as many as the server lists; `membersCount` counts all. */
  readonly members: readonly User[];
  readonly membersCount: number;
  readonly typing: readonly { readonly user: User; readonly until: number }[];
}

export const BLANK: RoomView = {
  timeline: EMPTY,
  members: [],
  membersCount: 0,
  typing: [],
};

/** What an event of the room makes of it. */
export function viewed(view: RoomView, event: ViewEvent, now: number): RoomView {
  return changed({ ...view, timeline: shown(view.timeline, event) }, event, now);
}

/** Forgets who stopped typing; the same value when that is nobody. */
export function settled(view: RoomView, now: number): RoomView {
  const typing = view.typing.filter(({ until }) => until > now);
  return typing.length === view.typing.length ? view : { ...view, typing };
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
    case "left":
      return BLANK;
    case "history":
    case "forked":
    case "receipt":
    case "room":
    case "refused":
      return view;
  }
}
