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
  /** How far each user has read, as far as was told. */
  readonly receipts: ReadonlyMap<string, Receipt>;
  /** Why the user is not in the room, where somebody else decided that. */
  readonly out: Out | null;
}

export interface Receipt {
  readonly user: User;
  /** The number of the newest entry that the user has read. */
  readonly seq: number;
}

export interface Out {
  /** The reason of a `left`, or the code of the error that a `join` got. */
  readonly reason: string;
  /** Of an error. */
  readonly message: string | null;
}

export const BLANK: RoomView = {
  timeline: EMPTY,
  members: [],
  membersCount: 0,
  typing: [],
  receipts: new Map(),
  out: null,
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
      return { ...view, members: event.members, membersCount: event.members_count, out: null };
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
    case "receipt": {
      const { user, seq } = event;
      return { ...view, receipts: new Map(view.receipts).set(user.id, { user, seq }) };
    }
    case "left":
      return { ...BLANK, out: event.reason === undefined ? null : { reason: event.reason, message: null } };
    case "refused":
      return { ...view, out: { reason: event.code, message: event.message } };
    case "history":
    case "forked":
    case "room":
    case "answered":
      return view;
  }
}
