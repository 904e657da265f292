import {
  ChatClient,
  type ChatRoom,
  type Limits,
  type MessageFrame,
  type Problem,
  type RoomSettings,
  type RoomSnapshot,
  type RoomSummary,
  type Status,
  type User,
} from "@clustertalk/client";
import { mayChooseName, moderationQueue, openRooms, type Waiting, websocketUrl } from "./endpoint";
import { mentions, spoken, titleOf } from "./names";
import { explained, refusedEntry } from "./sentences";
import { recall, remember } from "./settings";
import { SignIn } from "./sign-in";
import { NOTHING_UNREAD, type Unread, unreadOf } from "./unread";

/** All that is shown, as one value. */
export interface Chat {
  /** How the user says who he is: not yet, by a name that he chose, or by a token. */
  readonly identity: Identity;
  readonly status: Status;
  readonly self: User | null;
  /** Until when the token counts; `null`: nothing ends by itself. */
  readonly expiresAt: number | null;
  readonly limits: Limits | null;
  /** The rooms that the user is in, and those that he was put out of while he looked. */
  readonly rooms: ReadonlyMap<string, RoomSnapshot>;
  /** What came into each room since it was last looked at. */
  readonly unread: ReadonlyMap<string, Unread>;
  /** The room that is open. */
  readonly active: string;
  /** The rooms that are open to the user, as the connection began. */
  readonly listed: readonly RoomSummary[];
  /** The same, asked for since. */
  readonly counted: readonly RoomSummary[];
  /** How many messages and changes wait to be sent. */
  readonly queued: number;
  readonly notices: readonly Notice[];
}

export type Identity =
  /** `unknown`: it is asked whether names may be chosen. */
  | { readonly by: "unknown" | "nothing" }
  | { readonly by: "name"; readonly name: string }
  /** `wanted`: another is needed, now or soon. */
  | { readonly by: "token"; readonly wanted: boolean };

export interface Notice {
  readonly id: number;
  readonly tone: "bad" | "good";
  readonly text: string;
  /** What takes it back. */
  readonly undo?: () => Promise<void>;
}

const FIRST_ROOM = "general";
const NOTICE_MS = 10_000;
/** How old the list of rooms may grow while it is looked at. */
const LISTED_MS = 15_000;
/** What the notices do not repeat, since the page shows it where it asks who speaks. */
const SAID_ELSEWHERE: ReadonlySet<string> = new Set(["unauthorized", "token_expired"]);

/** What the page shows: the client's rooms, which of them is open, and what was not seen yet. */
export class ChatStore {
  private chat: Chat;
  private client: ChatClient | null = null;
  private readonly signIn: SignIn;
  private readonly rooms = new Map<string, ChatRoom>();
  /** For each room the number up to which nothing is new to who never read anything there. */
  private readonly start = new Map<string, number>();
  /** Rooms that the user left and that are not entered again by themselves. */
  private readonly left = new Set((recall("left") ?? "").split(" "));
  private readonly listeners = new Set<() => void>();
  /** Rooms that were entered unasked: that one of them is not open is no news. */
  private readonly unasked = new Set<string>();
  private atEnd = true;
  private nextNotice = 1;

  constructor() {
    this.signIn = new SignIn(() => this.identify());
    this.chat = {
      identity: { by: "unknown" },
      status: { name: "connecting", again: false },
      self: null,
      expiresAt: null,
      limits: null,
      rooms: new Map(),
      unread: new Map(),
      active: recall("active") ?? FIRST_ROOM,
      listed: [],
      counted: [],
      queued: 0,
      notices: [],
    };
    document.addEventListener("visibilitychange", () => this.look());
    setInterval(() => void this.list(), LISTED_MS);
    void this.begin();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Chat => this.chat;

  /** Says who the user is, where names may be chosen. */
  readonly name = (user: string): void => {
    remember("user", user);
    this.show({ identity: { by: "name", name: user } });
    if (this.client === null) return this.connect(new ChatClient({ url: websocketUrl, user }));
    void this.client.rename(user);
  };

  /** Says who the user is by a token, at first and when the one in use ends. */
  readonly token = (token: string): void => {
    const stopped = this.chat.status.name === "stopped";
    // A name that the server does not take may have been tried before.
    if (this.chat.identity.by === "name") this.disconnect();
    this.signIn.accept(token);
    this.show({ identity: { by: "token", wanted: false } });
    if (this.client === null) this.connect(new ChatClient({ url: websocketUrl, token: this.signIn.provide }));
    else if (stopped) this.client.reconnect();
  };

  /** Forgets the token, and with it all that is shown. */
  readonly signOut = (): void => {
    this.signIn.forget();
    this.disconnect();
    location.reload();
  };

  /** A room that the user is in, or was. */
  readonly room = (name: string): ChatRoom | undefined => this.rooms.get(name);

  readonly open = (name: string): void => {
    this.left.delete(name);
    this.unasked.delete(name);
    remember("left", [...this.left].join(" "));
    const room = this.client?.room(name);
    if (room !== undefined) this.follow(room);
    remember("active", name);
    this.show({ active: name });
    this.look();
  };

  readonly leave = (name: string): void => {
    this.left.add(name);
    remember("left", [...this.left].join(" "));
    this.rooms.get(name)?.leave();
    const next = [...this.chat.rooms.values()].find((room) => room.name !== name && room.state !== "left");
    if (this.chat.active === name && next !== undefined) this.open(next.name);
  };

  /** Says something, and tells whom it names. */
  readonly send = (name: string, text: string, replyTo: MessageFrame | undefined): void => {
    const room = this.rooms.get(name);
    const named = mentions(text, room?.snapshot.members.map(({ id }) => id) ?? []).slice(0, MENTIONS);
    void room?.send(text, { ...(replyTo && { replyTo }), ...(named.length > 0 && { mentions: named }) });
  };

  readonly create = async (name: string, settings: Partial<RoomSettings>): Promise<void> => {
    const room = await this.client?.createRoom(name, settings);
    if (room !== undefined) this.open(room.name);
  };

  readonly direct = async (user: string): Promise<void> => {
    const room = await this.client?.direct(user);
    if (room !== undefined) this.open(room.name);
  };

  /** Tells that something is done, and how to take it back. */
  readonly done = (text: string, undo?: () => Promise<void>): void => {
    this.tell({ tone: "good", text, ...(undo && { undo }) });
  };

  /** Does what a notice offers. */
  readonly undo = async ({ id, undo }: Notice): Promise<void> => {
    this.dismiss(id);
    try {
      await undo?.();
    } catch (reason) {
      this.tell({ tone: "bad", text: explained(reason) });
    }
  };

  /** Something was not done that belongs to no form. */
  readonly failed = (reason: unknown): void => this.tell({ tone: "bad", text: explained(reason) });

  readonly reconnect = (): void => this.client?.reconnect();

  readonly dismiss = (id: number): void => {
    this.show({ notices: this.chat.notices.filter((notice) => notice.id !== id) });
  };

  /** Whether the newest message of the open room is in sight. */
  readonly reached = (atEnd: boolean): void => {
    this.atEnd = atEnd;
    this.look();
  };

  private async begin(): Promise<void> {
    const user = recall("user");
    if (this.signIn.current !== null) {
      this.show({ identity: { by: "token", wanted: false } });
      return this.connect(new ChatClient({ url: websocketUrl, token: this.signIn.provide }));
    }
    if (user !== null) return this.name(user);
    const chosen = await mayChooseName();
    this.show({ identity: chosen === false ? { by: "token", wanted: true } : { by: "nothing" } });
  }

  private connect(client: ChatClient): void {
    this.client = client;
    client.onProblem((problem) => this.notice(problem));
    client.subscribe(() => this.refresh(client));
    for (const name of new Set([...storedRooms(), this.chat.active])) this.follow(client.room(name));
  }

  private disconnect(): void {
    this.client?.close();
    this.client = null;
    this.rooms.clear();
    this.start.clear();
  }

  private identify(): void {
    if (this.chat.identity.by === "token") this.show({ identity: { by: "token", wanted: this.signIn.isWanted } });
  }

  private refresh(client: ChatClient): void {
    if (client !== this.client) return;
    for (const room of client.rooms) this.follow(room);
    for (const { room, with: other } of client.listed) this.enter(client, room, other);
    const followed = [...this.rooms.values()].map(({ snapshot }) => snapshot);
    const shown = followed.filter(({ state, out }) => state !== "left" || out !== null);
    const rooms = new Map(shown.map((snapshot) => [snapshot.name, snapshot]));
    const joined = client.rooms.map(({ name }) => name);
    if (joined.join(" ") !== recall("rooms")) remember("rooms", joined.join(" "));
    const { status, self, expiresAt, limits, listed, outbox } = client;
    const queued = outbox.filter(({ state }) => state === "waiting").length;
    this.show({ status, self, expiresAt, limits, listed, rooms, queued });
    if (!this.askedForToken(status)) this.look();
  }

  /** A token that the server does not take is asked for anew. */
  private askedForToken(status: Status): boolean {
    const refused = status.name === "stopped" && status.code === UNAUTHORIZED;
    if (refused && this.chat.identity.by !== "token") this.show({ identity: { by: "token", wanted: true } });
    return refused;
  }

  /** The private rooms and conversations that are the user's, into which others may have let him. */
  private enter(client: ChatClient, name: string, other: string | undefined): void {
    const title = titleOf(name, other);
    if (title.kind === "open" || this.rooms.has(name) || this.left.has(name)) return;
    this.unasked.add(name);
    this.follow(client.room(name));
  }

  private follow(room: ChatRoom): void {
    if (this.rooms.has(room.name)) return;
    this.rooms.set(room.name, room);
  }

  /** What is in sight is read, and the rest of what came is not. */
  private look(): void {
    const { active, self, unread: before } = this.chat;
    const unread = new Map<string, Unread>();
    for (const [name, room] of this.rooms) {
      const { snapshot } = room;
      if (self === null || snapshot.state === "left") continue;
      const start = this.startOf(snapshot);
      // How far the user has read on another device.
      if (snapshot.readTo === null) {
        room.markRead(0);
        continue;
      }
      if (isVisible() && this.atEnd && name === active) room.markRead();
      const seen = isVisible() && this.atEnd && name === active;
      const told = seen ? NOTHING_UNREAD : unreadOf(snapshot, snapshot.readTo === 0 ? start : snapshot.readTo, self.id);
      if (told.count > 0) unread.set(name, told);
    }
    if (JSON.stringify([...unread]) !== JSON.stringify([...before])) this.show({ unread });
  }

  /** Where the news begin for who never read anything: what was said in public before he came is none. */
  private startOf({ name, state, messages }: RoomSnapshot): number {
    const known = this.start.get(name);
    if (known !== undefined || state !== "live") return known ?? 0;
    const isPublic = titleOf(name).kind === "open";
    const start = isPublic ? Math.max(0, ...messages.map(({ position }) => position?.seq ?? 0)) : 0;
    this.start.set(name, start);
    return start;
  }

  private notice({ code, message, room }: Problem): void {
    if (SAID_ELSEWHERE.has(code) || (room !== undefined && this.unasked.delete(room))) return;
    const text = room === undefined ? message : refusedEntry(spoken(titleOf(room)), code, message);
    // The open room says it itself.
    if (room === undefined || room !== this.chat.active) this.tell({ tone: "bad", text });
  }

  private tell(notice: Omit<Notice, "id">): void {
    const id = this.nextNotice++;
    this.show({ notices: [...this.chat.notices.slice(-2), { ...notice, id }] });
    setTimeout(() => this.dismiss(id), NOTICE_MS);
  }

  /** What waits for the moderators of a room. */
  async waiting(room: string): Promise<readonly Waiting[] | null> {
    const { self } = this.chat;
    return self === null ? null : moderationQueue(room, self.id, this.signIn.current);
  }

  private async list(): Promise<void> {
    if (!isVisible() || this.chat.status.name !== "online") return;
    const counted = await openRooms(this.signIn.current);
    if (counted !== null) this.show({ counted });
  }

  private show(change: Partial<Chat>): void {
    this.chat = { ...this.chat, ...change };
    for (const listener of this.listeners) listener();
  }
}

/** How many users a message may name. */
const MENTIONS = 16;
/** What the server closes with for want of a token that counts (codes.json). */
const UNAUTHORIZED = 4002;

function storedRooms(): readonly string[] {
  return (recall("rooms") ?? FIRST_ROOM).split(" ").filter((room) => room !== "");
}

function isVisible(): boolean {
  return document.visibilityState === "visible";
}
