import { IDLE, step } from "../protocol/connection.ts";
import type { Effect, Input, State, UserInput } from "../protocol/connection/state.ts";
import { decode } from "../protocol/decode.ts";
import { type RoomSummary, SUBPROTOCOL } from "../protocol/frames.ts";
import type { Request } from "../protocol/outbox.ts";
import { now } from "./clock.ts";
import { publicRooms, websocketUrl } from "./endpoint.ts";
import { newId } from "./ids.ts";
import { type TabStorage, openStorage, recall, remember } from "./storage.ts";
import { BLANK, type RoomView, type Views, read, settled, viewed } from "./view.ts";

/** All that is shown, as one value. */
export interface Chat {
  /** `null`: the user has no name yet. */
  readonly user: string | null;
  readonly state: State;
  readonly views: Views;
  /** The room that is open. */
  readonly active: string;
  /** The public rooms, newer than what `welcome` told. */
  readonly listed: readonly RoomSummary[];
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

/**
 * The browser around the protocol: one socket, one timer, storage. It decides nothing; what happens
 * goes into `step`, and what comes out is done.
 */
export class ChatClient {
  private chat: Chat;
  private readonly listeners = new Set<() => void>();
  private storage: TabStorage | null = null;
  private socket: WebSocket | null = null;
  private wakeTimer: ReturnType<typeof setTimeout> | undefined;
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  private nextNotice = 1;

  constructor() {
    const active = recall("active") ?? FIRST_ROOM;
    this.chat = { user: null, state: IDLE, views: new Map(), active, listed: [], notices: [] };
    window.addEventListener("online", () => this.feed({ type: "network", online: true }));
    window.addEventListener("offline", () => this.feed({ type: "network", online: false }));
    document.addEventListener("visibilitychange", () => this.look());
    setInterval(() => void this.list(), LISTED_MS);
    const user = recall("user");
    if (user !== null) void this.start(user);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Chat => this.chat;

  /** Says who the user is, at first and ever after. */
  readonly name = (user: string): void => {
    remember("user", user);
    if (this.chat.user === null) void this.start(user);
    else {
      this.show({ user });
      this.feed({ type: "rename", user });
    }
  };

  /** Says something in a room, or changes what was said. */
  readonly request = (room: string, request: Request): void => {
    this.feed({ ...request, room, id: newId(now()) });
  };

  readonly open = (room: string): void => {
    this.show({ active: room });
    remember("active", room);
    this.ask({ type: "join", room });
    this.look();
  };

  readonly leave = (room: string): void => {
    this.ask({ type: "leave", room });
    const views = new Map(this.chat.views);
    views.delete(room);
    this.show({ views });
    const [next] = this.chat.state.rooms.keys();
    if (this.chat.active === room && next !== undefined) this.open(next);
  };

  readonly ask = (input: Exclude<UserInput, { type: Request["type"] | "rename" }>): void => {
    this.feed(input);
    if (input.type === "join" || input.type === "leave") this.rememberRooms();
  };

  readonly dismiss = (id: number): void => {
    this.show({ notices: this.chat.notices.filter((notice) => notice.id !== id) });
  };

  private async start(user: string): Promise<void> {
    this.show({ user });
    this.storage = await openStorage(user);
    if (!navigator.onLine) this.feed({ type: "network", online: false });
    const rooms = [...new Set([...storedRooms(), this.chat.active])];
    this.feed({ type: "started", user, token: null, rooms, outbox: this.storage.outbox });
  }

  private feed(input: Input): void {
    const [state, effects] = step(this.chat.state, input, { at_ms: now(), random: Math.random() });
    this.chat = { ...this.chat, state };
    for (const effect of effects) this.perform(effect);
    this.notify();
  }

  private perform(effect: Effect): void {
    switch (effect.type) {
      case "persist_outbox":
        return this.storage?.persist(this.chat.user ?? "", effect.commands);
      case "connect":
        return void this.connect(effect.connection);
      case "transmit":
        return this.socket?.send(JSON.stringify(effect.frame));
      case "close":
        this.socket?.close(effect.code);
        this.socket = null;
        return;
      case "wake_at":
        return this.wake(effect.at_ms);
      case "deliver":
        return this.deliver(effect.event);
    }
  }

  private async connect(connection: number): Promise<void> {
    const url = await websocketUrl();
    if (this.chat.state.connection !== connection || this.chat.state.phase.name !== "connecting") return;
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.socket = socket;
    socket.onopen = () => this.feed({ type: "opened", connection });
    socket.onclose = ({ code }) => this.feed({ type: "closed", connection, code });
    socket.onmessage = ({ data }) => {
      const frame = typeof data === "string" ? decode(data) : null;
      if (frame !== null) this.feed({ type: "frame", connection, frame });
    };
  }

  private wake(at: number | null): void {
    clearTimeout(this.wakeTimer);
    if (at === null) return;
    this.wakeTimer = setTimeout(() => this.feed({ type: "timer" }), Math.max(0, at - now()));
  }

  private deliver(event: Extract<Effect, { type: "deliver" }>["event"]): void {
    const { state, active } = this.chat;
    const reader = { self: state.self?.id ?? null, reading: isVisible() ? active : null };
    this.chat = { ...this.chat, views: viewed(this.chat.views, event, now(), reader) };
    if (event.type === "typing") this.expireTyping();
    if (event.type === "refused") this.notice(event.message, event.room);
  }

  private expireTyping(): void {
    clearTimeout(this.typingTimer);
    const until = [...this.chat.views.values()].flatMap(({ typing }) => typing.map((each) => each.until));
    if (until.length === 0) return;
    this.typingTimer = setTimeout(() => {
      this.show({ views: settled(this.chat.views, now()) });
      this.expireTyping();
    }, Math.max(0, Math.min(...until) - now()));
  }

  private notice(message: string, room: string | undefined): void {
    const id = this.nextNotice++;
    const text = room === undefined ? message : `#${room}: ${message}`;
    this.chat = { ...this.chat, notices: [...this.chat.notices.slice(-2), { id, text }] };
    setTimeout(() => this.dismiss(id), NOTICE_MS);
  }

  private look(): void {
    if (isVisible()) this.show({ views: read(this.chat.views, this.chat.active) });
  }

  private async list(): Promise<void> {
    if (!isVisible() || this.chat.state.phase.name !== "live") return;
    const listed = await publicRooms();
    if (listed !== null) this.show({ listed });
  }

  private rememberRooms(): void {
    remember("rooms", [...this.chat.state.rooms.keys()].join(" "));
  }

  private show(change: Partial<Chat>): void {
    this.chat = { ...this.chat, ...change };
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}

export function viewOf({ views, active }: Chat): RoomView {
  return views.get(active) ?? BLANK;
}

function storedRooms(): readonly string[] {
  return (recall("rooms") ?? FIRST_ROOM).split(" ").filter((room) => room !== "");
}

function isVisible(): boolean {
  return document.visibilityState === "visible";
}
