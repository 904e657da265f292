import {
  ChatClient,
  type ChatRoom,
  type Limits,
  type MessageFrame,
  type Problem,
  type RoomSnapshot,
  type RoomSummary,
  type Status,
  type User,
} from "@clustertalk/client";
import { publicRooms, websocketUrl } from "./endpoint";
import { recall, remember } from "./settings";

/** All that is shown, as one value. */
export interface Chat {
  /** `null`: the user has no name yet. */
  readonly user: string | null;
  readonly status: Status;
  readonly self: User | null;
  readonly limits: Limits | null;
  /** The rooms that the user is in. */
  readonly rooms: ReadonlyMap<string, RoomSnapshot>;
  /** How many messages of others came into a room since it was last looked at. */
  readonly unread: ReadonlyMap<string, number>;
  /** The room that is open. */
  readonly active: string;
  /** The public rooms, as the connection began. */
  readonly listed: readonly RoomSummary[];
  /** The public rooms, asked for since. */
  readonly counted: readonly RoomSummary[];
  /** How many messages and changes wait to be sent. */
  readonly queued: number;
  readonly notices: readonly Notice[];
}

export interface Notice {
  readonly id: number;
  readonly text: string;
}

const FIRST_ROOM = "general";
const NOTICE_MS = 8_000;
/** How old the list of rooms may grow while it is looked at. */
const LISTED_MS = 15_000;

/** What the page shows: the client's rooms, which of them is open, and what was not seen yet. */
export class ChatStore {
  private chat: Chat;
  private client: ChatClient | null = null;
  private readonly rooms = new Map<string, ChatRoom>();
  private readonly listeners = new Set<() => void>();
  private nextNotice = 1;

  constructor() {
    this.chat = {
      user: null,
      status: { name: "connecting", again: false },
      self: null,
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
    const user = recall("user");
    if (user !== null) this.start(user);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Chat => this.chat;

  /** Says who the user is, at first and ever after. */
  readonly name = (user: string): void => {
    remember("user", user);
    if (this.client === null) return this.start(user);
    this.show({ user });
    void this.client.rename(user);
  };

  /** A room that the user is in. */
  readonly room = (name: string): ChatRoom | undefined => this.rooms.get(name);

  readonly open = (name: string): void => {
    this.client?.room(name);
    remember("active", name);
    this.show({ active: name });
    this.look();
  };

  readonly leave = (name: string): void => {
    this.rooms.get(name)?.leave();
    const [next] = this.chat.rooms.keys();
    if (this.chat.active === name && next !== undefined) this.open(next);
  };

  readonly reconnect = (): void => this.client?.reconnect();

  readonly dismiss = (id: number): void => {
    this.show({ notices: this.chat.notices.filter((notice) => notice.id !== id) });
  };

  private start(user: string): void {
    const client = new ChatClient({ url: websocketUrl, user });
    this.client = client;
    client.onProblem((problem) => this.notice(problem));
    client.subscribe(() => this.refresh(client));
    for (const name of new Set([...storedRooms(), this.chat.active])) client.room(name);
    this.show({ user });
  }

  private refresh(client: ChatClient): void {
    for (const room of client.rooms) this.follow(room);
    const rooms = new Map(client.rooms.map((room) => [room.name, room.snapshot]));
    if (!sameKeys(rooms, this.chat.rooms)) remember("rooms", [...rooms.keys()].join(" "));
    const { status, self, limits, listed, outbox } = client;
    const queued = outbox.filter(({ state }) => state === "waiting").length;
    this.show({ status, self, limits, listed, rooms, queued });
  }

  private follow(room: ChatRoom): void {
    if (this.rooms.has(room.name)) return;
    this.rooms.set(room.name, room);
    room.onMessage((message) => this.count(message));
  }

  private count({ room, user }: MessageFrame): void {
    if (user.id === this.chat.self?.id || (isVisible() && room === this.chat.active)) return;
    const { unread } = this.chat;
    this.show({ unread: new Map(unread).set(room, (unread.get(room) ?? 0) + 1) });
  }

  private look(): void {
    const { unread, active } = this.chat;
    if (isVisible() && unread.has(active)) this.show({ unread: new Map([...unread].filter(([room]) => room !== active)) });
  }

  private notice({ message, room }: Problem): void {
    const id = this.nextNotice++;
    const text = room === undefined ? message : `#${room}: ${message}`;
    this.show({ notices: [...this.chat.notices.slice(-2), { id, text }] });
    setTimeout(() => this.dismiss(id), NOTICE_MS);
  }

  private async list(): Promise<void> {
    if (!isVisible() || this.chat.status.name !== "online") return;
    const counted = await publicRooms();
    if (counted !== null) this.show({ counted });
  }

  private show(change: Partial<Chat>): void {
    this.chat = { ...this.chat, ...change };
    for (const listener of this.listeners) listener();
  }
}

function storedRooms(): readonly string[] {
  return (recall("rooms") ?? FIRST_ROOM).split(" ").filter((room) => room !== "");
}

function sameKeys(one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): boolean {
  return one.size === other.size && [...one.keys()].every((key) => other.has(key));
}

function isVisible(): boolean {
  return document.visibilityState === "visible";
}
