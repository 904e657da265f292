import { now } from "./clock.ts";
import { Listeners } from "./listeners.ts";
import type { Room as Connected, UserInput, ViewEvent } from "./protocol/connection/state.ts";
import type {
  Entry,
  Lost,
  Management,
  MessageFrame,
  Named,
  Reason,
  ReportReason,
  Role,
  RoomFrame,
  RoomRole,
  User,
} from "./protocol/frames.ts";
import { type Line, linesOf } from "./protocol/lines.ts";
import { type Message, messagesOf } from "./protocol/messages.ts";
import type { Command, Request } from "./protocol/outbox.ts";
import { type Timeline, hasOlder, newest, oldest } from "./protocol/timeline.ts";
import { BLANK, type Out, type Receipt, type RoomView, settled, viewed } from "./protocol/view.ts";
import { type Barrier, type RoomSettings, barrierOf, patchOf, roleOf, settingsOf } from "./settings.ts";

/** A message, by itself or by its sender and id. */
export type Addressed = Named | { readonly user: User; readonly id: string };

export interface SendOptions {
  /** What it answers. */
  readonly replyTo?: Addressed;
  /** Ids of users, at most 16. */
  readonly mentions?: readonly string[];
}

/**
 * What became of something that was asked for.
 *
 * - `delivered`: it stands in the log of the room.
 * - `failed`: the server refused it for good. `room.retry` asks again.
 * - `uncertain`: the part of the log that would tell is not kept any more; `retry` or `discard`.
 * - `settled`: there is nothing left to do, since the message was deleted or the wish discarded.
 * - `kept`: the client was closed first. The next one of this user goes on with it, if its storage
 *   outlives this one.
 */
export type Outcome = { readonly id: string } & (
  | { readonly state: "delivered" | "uncertain" | "settled" | "kept" }
  | { readonly state: "failed"; readonly code: string; readonly message: string }
);

/** Entries that the server does not have any more. */
export interface Loss {
  /** `trimmed`: too old to be kept. `damaged`: removed by hand. `diverged`: a failover lost them. */
  readonly reason: Reason;
  /** By their numbers, both ends included. */
  readonly lost: readonly Lost[];
}

/** What a room shows at one moment. A value: the same one until something changes. */
export interface RoomSnapshot {
  readonly name: string;
  /** `catching-up`: what was missed is coming. `left`: by the user, or it is not open to him. */
  readonly state: "joining" | "catching-up" | "live" | "left";
  /** What was said, oldest first, with what the user said and is on its way at the end. */
  readonly messages: readonly Message[];
  /** The same with all that stands between messages: what was deleted, is missing or can be had. */
  readonly lines: readonly Line[];
  /** Who is there, at most as many as the server lists. */
  readonly members: readonly User[];
  /** How many are there. */
  readonly membersCount: number;
  /** Who types, the user himself excepted. */
  readonly typing: readonly User[];
  /** Whether older messages were asked for and are still to come. */
  readonly loading: boolean;
  readonly settings: RoomSettings;
  /** What the user is here, by the room or by his token; `null`: nothing in particular. */
  readonly role: RoomRole | null;
  /** Until when the user may only read, in milliseconds since 1970; `Infinity`: for good; `null`: he is not muted. */
  readonly mutedUntil: number | null;
  /** What keeps the user from writing here. */
  readonly barrier: Barrier | null;
  /** The number of the newest entry that the user has read; `null`: not known, see `markRead`. */
  readonly readTo: number | null;
  /** How far others have read, as far as it was told since the user came. */
  readonly receipts: readonly Receipt[];
  /** Why the user is not here, where somebody else decided that. */
  readonly out: Out | null;
}

/**
 * What a room asks of its client.
 * @internal
 */
export interface Desk {
  feed(input: UserInput): void;
  request(room: string, request: Request): Promise<Outcome>;
  manage(management: Management): Promise<RoomFrame | null>;
  /** Something shows that the client does not know of. */
  publish(): void;
}

/**
 * What of a client's state a room shows.
 * @internal
 */
export interface RoomPart {
  /** `undefined`: the client is not in the room. */
  readonly connected: Connected | undefined;
  readonly commands: readonly Command[];
  readonly self: User;
  /** What the token makes of the user. */
  readonly role: Role;
}

/** The most that a timer takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A room of a client, made by `client.room`. */
export class ChatRoom {
  readonly name: string;
  private readonly desk: Desk;
  private view: RoomView = BLANK;
  private shown: Shown;
  private current: RoomSnapshot;
  /** Whether the first join was answered, so that what comes is new. */
  private joined = false;
  private waiting: ((more: boolean) => void)[] = [];
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  private muteTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly snapshots = new Listeners<RoomSnapshot>();
  private readonly messageFrames = new Listeners<MessageFrame>();
  private readonly losses = new Listeners<Loss>();

  /** @internal */
  constructor(name: string, desk: Desk, part: RoomPart) {
    this.name = name;
    this.desk = desk;
    this.shown = shownOf(this.view, part, new Content(this.view.timeline, part), settingsOf(name, null));
    this.current = snapshotOf(name, this.shown, part.self);
  }

  get snapshot(): RoomSnapshot {
    return this.current;
  }

  /** Those of the snapshot. */
  get messages(): readonly Message[] {
    return this.current.messages;
  }

  /** Tells of each new snapshot. Returns how to end it, as the others do. */
  subscribe(listener: (snapshot: RoomSnapshot) => void): () => void {
    return this.snapshots.add(listener);
  }

  /** Tells of each message as it was said, once and in order; not of those that the first join brings. */
  onMessage(listener: (message: MessageFrame) => void): () => void {
    return this.messageFrames.add(listener);
  }

  /** Tells what cannot be had any more. */
  onLost(listener: (loss: Loss) => void): () => void {
    return this.losses.add(listener);
  }

  /** Says something. It may be called offline: what is said waits, and goes out in its order. */
  send(text: string, { replyTo, mentions }: SendOptions = {}): Promise<Outcome> {
    return this.request({
      type: "send",
      text,
      ...(replyTo && { reply_to: named(replyTo) }),
      ...(mentions && { mentions }),
    });
  }

  /** Gives one of the user's own messages another text. */
  edit(message: Addressed, text: string): Promise<Outcome> {
    return this.request({ type: "edit", target: named(message), text });
  }

  /** Removes one of the user's own messages for everyone; a moderator may remove any. */
  delete(message: Addressed): Promise<Outcome> {
    return this.request({ type: "delete", target: named(message) });
  }

  /** Adds an emoji or another short word to a message, at most 32 bytes. */
  react(message: Addressed, reaction: string): Promise<Outcome> {
    return this.request({ type: "react", target: named(message), reaction });
  }

  /** Takes it back. */
  unreact(message: Addressed, reaction: string): Promise<Outcome> {
    return this.request({ type: "react", target: named(message), reaction, remove: true });
  }

  /** Sends again what failed or is uncertain: a message, or one of its `changes`. */
  retry(id: string): void {
    this.desk.feed({ type: "retry", id });
  }

  /** Forgets what failed or is uncertain. */
  discard(id: string): void {
    this.desk.feed({ type: "discard", id });
  }

  /** Tells the others that the user types. To be called at each key: it is told as often as is allowed. */
  typing(): void {
    this.desk.feed({ type: "typing", room: this.name });
  }

  /**
   * Tells that the user has read up to an entry, by default the newest that is shown. It never goes
   * back. With 0 it only asks how far he has, on whichever device, if that is not known: `readTo` of the snapshot tells.
   */
  markRead(seq?: number): void {
    const to = seq ?? newest(this.view.timeline);
    // Of an empty room there is nothing to tell, but there is to ask.
    if (to <= (this.current.readTo ?? (seq === undefined ? 0 : -1))) return;
    this.desk.feed({ type: "read", room: this.name, seq: to });
  }

  /** Sets what is named, and leaves the rest. Rejects with a `Refusal`, as the following do. */
  async configure(settings: Partial<RoomSettings>): Promise<void> {
    await this.desk.manage({ type: "configure", room: this.name, ...patchOf(settings) });
  }

  /** Makes a user member, moderator or owner; into a private room it lets him in. */
  async grant(user: string, role: RoomRole = "member"): Promise<void> {
    await this.desk.manage({ type: "grant", room: this.name, user, role });
  }

  /** Takes that away. Out of a private room it puts him; the user himself gives his role back so. */
  async revoke(user: string): Promise<void> {
    await this.desk.manage({ type: "revoke", room: this.name, user });
  }

  /** Has a user leave, who may come back. */
  async kick(user: string): Promise<void> {
    await this.desk.manage({ type: "kick", room: this.name, user });
  }

  /** Lets a user only read, for so many milliseconds, or for good. */
  async mute(user: string, forMs?: number): Promise<void> {
    await this.desk.manage({ type: "mute", room: this.name, user, ...(forMs !== undefined && { for_ms: forMs }) });
  }

  /** Keeps a user out, for so many milliseconds, or for good. */
  async ban(user: string, forMs?: number): Promise<void> {
    await this.desk.manage({ type: "ban", room: this.name, user, ...(forMs !== undefined && { for_ms: forMs }) });
  }

  /** Ends a ban and a mute. */
  async unban(user: string): Promise<void> {
    await this.desk.manage({ type: "unban", room: this.name, user });
  }

  /** Tells the moderators of a message, with a note of at most 256 bytes; of the same message once is enough. */
  async report(message: Named, reason: ReportReason, note?: string): Promise<void> {
    const target = { user: message.user, id: message.id };
    await this.desk.manage({ type: "report", room: this.name, target, reason, ...(note !== undefined && { note }) });
  }

  /** Takes a message from the moderators' queue: nothing is wrong with it. */
  async dismiss(message: Named): Promise<void> {
    const target = { user: message.user, id: message.id };
    await this.desk.manage({ type: "dismiss", room: this.name, target });
  }

  /** Removes the room with everything in it. */
  async deleteRoom(): Promise<void> {
    await this.desk.manage({ type: "delete_room", room: this.name });
  }

  /**
   * Asks for messages before number `before`, by default before the oldest that is shown. Resolves
   * when they are shown, to whether there are older ones still.
   */
  history(before?: number): Promise<boolean> {
    const number = before ?? oldest(this.view.timeline);
    if (number === null) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.desk.feed({ type: "history", room: this.name, before: number });
    });
  }

  /** What is on its way still goes out if the room is joined again, by `client.room`. */
  leave(): void {
    this.forget();
    this.desk.feed({ type: "leave", room: this.name });
  }

  /**
   * What the first join brings is new: it follows a position that an earlier run read to.
   * @internal
   */
  resume(): void {
    this.joined = true;
  }

  /**
   * What the client was told about this room.
   * @internal
   */
  deliver(event: ViewEvent): void {
    this.view = viewed(this.view, event, now());
    switch (event.type) {
      case "joined":
        if (event.reason !== null && event.lost !== null) this.losses.tell({ reason: event.reason, lost: [event.lost] });
        if (this.joined) this.tell(event.entries);
        this.joined = true;
        return;
      case "entries":
        return this.tell(event.entries);
      case "forked":
        return this.losses.tell({ reason: "diverged", lost: event.lost.map(({ seq }) => ({ from: seq, to: seq })) });
      case "typing":
        return this.expireTyping();
      case "left":
        clearTimeout(this.typingTimer);
        this.joined = false;
        return;
      case "history":
      case "presence":
      case "receipt":
      case "room":
      case "answered":
      case "refused":
        return;
    }
  }

  /**
   * The client's state has changed, in this room or elsewhere. True if something shows of it.
   * @internal
   */
  update(part: RoomPart): boolean {
    const { timeline } = this.view;
    const { content, frame, settings } = this.shown;
    const told = part.connected?.settings ?? null;
    const next = shownOf(
      this.view,
      part,
      content.shows(timeline, part) ? content : new Content(timeline, part),
      told === frame ? settings : settingsOf(this.name, told),
    );
    const changed = differ(this.shown, next);
    if (next.mutedUntil !== this.shown.mutedUntil) this.expireMute(next.mutedUntil);
    if (changed) {
      this.shown = next;
      this.current = snapshotOf(this.name, next, part.self);
      this.snapshots.tell(this.current);
    }
    if (!next.loading) this.answer(hasOlder(timeline));
    return changed;
  }

  /** @internal */
  end(): void {
    clearTimeout(this.typingTimer);
    clearTimeout(this.muteTimer);
    this.answer(hasOlder(this.view.timeline));
  }

  private request(request: Request): Promise<Outcome> {
    return this.desk.request(this.name, request);
  }

  private forget(): void {
    clearTimeout(this.typingTimer);
    this.view = BLANK;
    this.joined = false;
  }

  private tell(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.type === "message") this.messageFrames.tell(entry);
  }

  private answer(more: boolean): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve(more);
  }

  /** Nobody tells that a mute is over. */
  private expireMute(until: number | null): void {
    clearTimeout(this.muteTimer);
    if (until === null || until === Infinity) return;
    this.muteTimer = setTimeout(() => {
      if (now() < until) return this.expireMute(until);
      this.desk.publish();
    }, Math.min(LONGEST_TIMER_MS, Math.max(0, until - now())));
  }

  private expireTyping(): void {
    clearTimeout(this.typingTimer);
    const until = this.view.typing.map((each) => each.until);
    if (until.length === 0) return;
    // One that fires a little early finds nobody to forget, and is set again.
    this.typingTimer = setTimeout(() => {
      this.view = settled(this.view, now());
      this.desk.publish();
      this.expireTyping();
    }, Math.max(0, Math.min(...until) - now()));
  }
}

/** What a snapshot is made of, for comparison. */
interface Shown {
  readonly content: Content;
  readonly state: RoomSnapshot["state"];
  readonly members: readonly User[];
  readonly membersCount: number;
  readonly typing: RoomView["typing"];
  readonly loading: boolean;
  /** What `settings` was made of. */
  readonly frame: RoomFrame | null;
  readonly settings: RoomSettings;
  readonly role: RoomRole | null;
  readonly mutedUntil: number | null;
  readonly receipts: RoomView["receipts"];
  readonly out: Out | null;
}

function shownOf(view: RoomView, { connected, role }: RoomPart, content: Content, settings: RoomSettings): Shown {
  const { members, membersCount, typing, receipts, out } = view;
  const frame = connected?.settings ?? null;
  const until = frame?.you?.muted === true ? (frame.you.muted_until ?? Infinity) : 0;
  return {
    content,
    state: stateOf(connected),
    members,
    membersCount,
    typing,
    loading: connected?.older != null,
    frame,
    settings,
    role: roleOf(role, frame?.you?.role ?? null),
    mutedUntil: until > now() ? until : null,
    receipts,
    out,
  };
}

function differ(one: Shown, other: Shown): boolean {
  return (Object.keys(one) as (keyof Shown)[]).some((key) => one[key] !== other[key]);
}

function snapshotOf(name: string, shown: Shown, self: User): RoomSnapshot {
  const { content, state, members, membersCount, typing, loading, settings, role, mutedUntil, receipts, out } = shown;
  return {
    name,
    state,
    members,
    membersCount,
    loading,
    settings,
    role,
    mutedUntil,
    out,
    barrier: barrierOf(settings, role, mutedUntil !== null),
    readTo: receipts.get(self.id)?.seq ?? null,
    receipts: [...receipts.values()].filter(({ user }) => user.id !== self.id),
    typing: typing.flatMap(({ user }) => (user.id === self.id ? [] : [user])),
    get messages() {
      return content.messages;
    },
    get lines() {
      return content.lines;
    },
  };
}

function stateOf(connected: Connected | undefined): RoomSnapshot["state"] {
  switch (connected?.phase.name) {
    case undefined:
      return "left";
    case "wanted":
    case "joining":
      return "joining";
    case "paging":
      return "catching-up";
    case "live":
      return "live";
  }
}

/** What is shown of a log, made when it is looked at. */
class Content {
  private readonly timeline: Timeline;
  private readonly commands: readonly Command[];
  private readonly self: User;
  private madeLines: readonly Line[] | null = null;
  private madeMessages: readonly Message[] | null = null;

  constructor(timeline: Timeline, { commands, self }: RoomPart) {
    this.timeline = timeline;
    this.commands = commands;
    this.self = self;
  }

  /** Whether this is what a timeline shows beside that part of the outbox. */
  shows(timeline: Timeline, { commands, self }: RoomPart): boolean {
    const same = commands.length === this.commands.length && commands.every((each, index) => each === this.commands[index]);
    return timeline === this.timeline && self === this.self && same;
  }

  get lines(): readonly Line[] {
    this.madeLines ??= linesOf(this.timeline, this.commands, this.self.id);
    return this.madeLines;
  }

  get messages(): readonly Message[] {
    this.madeMessages ??= messagesOf(this.lines, this.self);
    return this.madeMessages;
  }
}

function named({ user, id }: Addressed): Named {
  return { user: typeof user === "string" ? user : user.id, id };
}
