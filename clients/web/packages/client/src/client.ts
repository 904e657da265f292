import { now } from "./clock.ts";
import { newId } from "./ids.ts";
import { Listeners } from "./listeners.ts";
import { IDLE, step } from "./protocol/connection.ts";
import type { Effect, Input, State, ViewEvent } from "./protocol/connection/state.ts";
import { decode } from "./protocol/decode.ts";
import {
  type Limits,
  type Management,
  type Position,
  type Role,
  type RoomFrame,
  type RoomSummary,
  SUBPROTOCOL,
  type User,
} from "./protocol/frames.ts";
import { isRoomName, isUserName } from "./protocol/names.ts";
import type { Command, Request } from "./protocol/outbox.ts";
import { ChatRoom, type Outcome, type RoomPart } from "./room.ts";
import { Refusal, type RoomSettings, patchOf } from "./settings.ts";
import { type Socket, type SocketConstructor, socketAddress } from "./socket.ts";
import { type OutboxStorage, browserStorage, memoryStorage } from "./storage.ts";
import { type TokenProvider, subjectOf } from "./token.ts";

export type ChatOptions = Surroundings & (Named | Proved);

interface Surroundings {
  /**
   * The edge: where its pages are (`https://chat.example.org`), or its socket (`wss://…`). A function
   * that finds it is asked before each connection.
   */
  readonly url: string | URL | (() => string | URL | Promise<string | URL>);
  /** Where what is on its way is kept: by default the local storage of a browser, else memory. */
  readonly storage?: OutboxStorage;
  /** By default the global one. Node has it from version 22 on; before that, the one of the package `ws`. */
  readonly WebSocket?: SocketConstructor;
}

interface Named {
  /** The name and id of the user, where the edge lets him choose it: for development. */
  readonly user: string;
  readonly token?: undefined;
}

interface Proved {
  /** Says who the user is. */
  readonly token: TokenProvider;
  readonly user?: undefined;
}

/** How it stands with the connection. */
export type Status =
  /** `again`: not for the first time. */
  | { readonly name: "connecting"; readonly again: boolean }
  | { readonly name: "online" }
  /** It tries again by itself at `retryAt`, in milliseconds since 1970. `code` closed the last one. */
  | { readonly name: "waiting"; readonly retryAt: number; readonly code: number; readonly networkDown: boolean }
  /** It does not try again, unless by `reconnect`. */
  | { readonly name: "stopped"; readonly code: number; readonly message: string };

/** Something went wrong that belongs to no message. */
export interface Problem {
  /** Of the protocol; or `no_token`, `no_socket` and `no_storage` for what failed on this side. */
  readonly code: string;
  readonly message: string;
  /** The room that is not open to the user. */
  readonly room?: string;
}

/** Who waits for the answer about a room or a user. */
interface Asked {
  readonly resolve: (room: RoomFrame | null) => void;
  readonly reject: (refusal: Refusal) => void;
}

/** The pauses between attempts to get a first token. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
const NORMAL = 1000;
/** What a socket reports that never opened. */
const ABNORMAL = 1006;

/**
 * One user's connection to an edge. It keeps it up, resumes each room where that stood, and sends
 * what was said until it is in the log. Which of that to do when it leaves to `step`: what happens
 * goes in there, and what comes out is done.
 */
export class ChatClient {
  private state: State = IDLE;
  /** What happened before there was an outbox to start from. */
  private early: Input[] | null = [];
  private readonly effects: Effect[] = [];
  private told: State = IDLE;
  private saving = false;
  private ended = false;
  private owner = "";
  private speaker: User;
  private current: Status = { name: "connecting", again: false };
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly url: Surroundings["url"];
  private readonly provider: TokenProvider | null;
  private readonly storage: OutboxStorage;
  private readonly socketOf: SocketConstructor;
  private readonly ready: Promise<void>;
  private readonly handles = new Map<string, ChatRoom>();
  private readonly asked = new Map<string, Asked>();
  private readonly outcomes = new Map<string, (outcome: Outcome) => void>();
  private readonly changes = new Listeners<undefined>();
  private readonly statuses = new Listeners<Status>();
  private readonly problems = new Listeners<Problem>();

  /** Connects at once. Throws a `TypeError` for an address or a name that is none, or without a WebSocket. */
  constructor({ url, user, token, storage, WebSocket: given }: ChatOptions) {
    const socketOf = given ?? ("WebSocket" in globalThis ? WebSocket : null);
    if (socketOf === null) throw new TypeError("there is no WebSocket here: pass one, such as that of the package `ws`");
    if (typeof url !== "function") socketAddress(url);
    if (user !== undefined) checkUser(user);
    this.url = url;
    this.provider = token ?? null;
    this.speaker = { id: user ?? "", name: user ?? "" };
    this.storage = storage ?? ("window" in globalThis ? browserStorage() : memoryStorage());
    this.socketOf = socketOf;
    this.ready = this.start(user ?? null);
    if ("addEventListener" in globalThis) {
      addEventListener("online", this.online);
      addEventListener("offline", this.offline);
    }
  }

  get status(): Status {
    return this.current;
  }

  /** Who the user is to the server; `null` before it said so. */
  get self(): User | null {
    return this.state.self;
  }

  /** What the server takes; `null` before it said so. */
  get limits(): Limits | null {
    return this.state.limits;
  }

  /** What the user's token makes of him in every room. */
  get role(): Role {
    return this.state.role;
  }

  /** Until when the token in use counts, in milliseconds since 1970; `null`: no token ends the connection. */
  get expiresAt(): number | null {
    return this.state.expiresAt;
  }

  /** The public rooms, as they were at the last connection, and the private ones that are open to the user. */
  get listed(): readonly RoomSummary[] {
    return this.state.listed;
  }

  /** The rooms that the user is in. */
  get rooms(): readonly ChatRoom[] {
    return [...this.state.rooms.keys()].map((name) => this.handle(name));
  }

  /** All that was asked of rooms and is on its way, or did not come through, or came a moment ago. */
  get outbox(): readonly Command[] {
    return this.state.outbox.commands;
  }

  /**
   * Goes into a room, if the user is not in it. With `since`, a position that an earlier run read to,
   * `onMessage` goes on behind it. Throws a `TypeError` for what is no name of a room.
   */
  room(name: string, { since }: { readonly since?: Position | undefined } = {}): ChatRoom {
    if (!isRoomName(name)) throw new TypeError(`not the name of a room, [a-z0-9][a-z0-9_-]{0,63}: ${name}`);
    const room = this.handle(name);
    if (since !== undefined) room.resume();
    this.feed({ type: "join", room: name, ...(since && { since }) });
    return room;
  }

  /**
   * Makes a room whose owner the user is, and goes into it. A private one gets a name that begins
   * with `private-`. Rejects with a `Refusal`, as the following do.
   */
  async createRoom(name: string, settings: Partial<RoomSettings> = {}): Promise<ChatRoom> {
    const { private: isPrivate = false } = settings;
    const made = await this.manage({ type: "create", room: name, ...(isPrivate && { private: true }), ...patchOf(settings) });
    return this.room(made?.room ?? name);
  }

  /** Goes into the private room of the user and another, which is made if there is none. */
  async direct(user: string): Promise<ChatRoom> {
    const made = await this.manage({ type: "direct", user });
    if (made === null) throw new Refusal("internal", "the server did not name the room");
    return this.room(made.room);
  }

  /** Ends all connections of a user, which only moderators by their token may. */
  async kick(user: string): Promise<void> {
    await this.manage({ type: "kick", user });
  }

  /** Tells of each new status. Returns how to end it, as the others do. */
  onStatus(listener: (status: Status) => void): () => void {
    return this.statuses.add(listener);
  }

  /** Tells what goes wrong and belongs to no message. */
  onProblem(listener: (problem: Problem) => void): () => void {
    return this.problems.add(listener);
  }

  /** Tells that anything has changed, in the client or one of its rooms. */
  subscribe(listener: () => void): () => void {
    return this.changes.add(listener);
  }

  /** Connects at once, where it waits or has stopped. */
  reconnect(): void {
    this.feed({ type: "reconnect" });
  }

  /** Goes on under another name, where names may be chosen. */
  async rename(user: string): Promise<void> {
    checkUser(user);
    if (this.provider !== null) throw new TypeError("the token says who speaks");
    await this.ready;
    await this.save([]);
    this.owner = this.ownerOf(user);
    await this.save(this.state.outbox.commands);
    this.feed({ type: "rename", user });
  }

  /** Ends the connection. What is on its way stays in the storage, for the next client of this user. */
  close(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    if ("removeEventListener" in globalThis) {
      removeEventListener("online", this.online);
      removeEventListener("offline", this.offline);
    }
    this.socket?.close(NORMAL);
    for (const room of this.handles.values()) room.end();
    for (const [id, resolve] of this.outcomes) resolve(this.early === null ? { id, state: "kept" } : { id, ...UNBEGUN });
    this.outcomes.clear();
    for (const { reject } of this.asked.values()) reject(new Refusal("unanswered", "the client was closed"));
    this.asked.clear();
    this.publish();
    void this.release();
  }

  private async start(user: string | null): Promise<void> {
    const token = this.provider === null ? null : await this.firstToken();
    this.owner = this.ownerOf(user ?? subjectOf(token ?? ""));
    const outbox = await this.load();
    const early = this.early ?? [];
    if (this.ended) return;
    this.early = null;
    if (isOffline()) early.unshift({ type: "network", online: false });
    this.feed({ type: "started", user, token, tokens: this.provider !== null, rooms: [], outbox }, ...early);
  }

  /** Without one nothing can be said, nor is it known whose outbox this is. */
  private async firstToken(): Promise<string | null> {
    for (let attempt = 0; ; attempt++) {
      const token = await this.askToken();
      if (token !== null || this.ended) return token;
      const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
      await new Promise((resolve) => (this.timer = setTimeout(resolve, Math.random() * longest)));
    }
  }

  private async askToken(): Promise<string | null> {
    try {
      return (await this.provider?.()) ?? null;
    } catch (error) {
      this.fail("no_token", error);
      return null;
    }
  }

  /** One edge's user is not another's of the same name. */
  private ownerOf(user: string): string {
    const { url } = this;
    const edge = typeof url === "function" ? ("location" in globalThis ? location.origin : "") : socketAddress(url);
    return `${edge} ${user}`;
  }

  private feed(...inputs: readonly Input[]): void {
    if (this.ended) return this.publish();
    if (this.early !== null) return void this.early.push(...inputs);
    for (const input of inputs) {
      const [state, effects] = step(this.state, input, { at_ms: now(), random: Math.random() });
      this.state = state;
      this.effects.push(...effects);
    }
    this.drain();
  }

  /** Performs what is to be done, in its order: nothing overtakes what is being stored. */
  private drain(): void {
    while (!this.saving) {
      const effect = this.effects.shift();
      if (effect === undefined) return this.publish();
      if (effect.type !== "persist_outbox") {
        if (!this.ended) this.perform(effect);
        continue;
      }
      const saved = this.save(effect.commands);
      if (saved === null) continue;
      this.saving = true;
      void saved.then(() => {
        this.saving = false;
        this.drain();
      });
    }
  }

  private perform(effect: Exclude<Effect, { type: "persist_outbox" }>): void {
    switch (effect.type) {
      case "want_token":
        return void this.askToken().then((token) => this.feed({ type: "token", token }));
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
    try {
      const url = typeof this.url === "function" ? await this.url() : this.url;
      if (this.ended || this.state.connection !== connection || this.state.phase.name !== "connecting") return;
      const socket = new this.socketOf(socketAddress(url), SUBPROTOCOL);
      this.socket = socket;
      socket.onopen = () => this.feed({ type: "opened", connection });
      socket.onclose = ({ code }: { readonly code: number }) => this.feed({ type: "closed", connection, code });
      // A close follows, and tells as much.
      socket.onerror = () => undefined;
      socket.onmessage = ({ data }: { readonly data: unknown }) => {
        const frame = typeof data === "string" ? decode(data) : null;
        if (frame !== null) this.feed({ type: "frame", connection, frame });
      };
    } catch (error) {
      this.fail("no_socket", error);
      this.feed({ type: "closed", connection, code: ABNORMAL });
    }
  }

  private wake(at: number | null): void {
    clearTimeout(this.timer);
    if (at === null) return;
    // A timer may fire a little early, and the moment must have come.
    const due = () => (now() < at ? this.wake(at) : this.feed({ type: "timer" }));
    this.timer = setTimeout(due, Math.max(0, at - now()));
  }

  private deliver(event: ViewEvent): void {
    switch (event.type) {
      case "answered":
        return this.answered(event);
      case "refused": {
        const { code, message, room } = event;
        if (room !== undefined) this.handle(room).deliver(event);
        return this.problems.tell({ code, message, ...(room !== undefined && { room }) });
      }
      default:
        return this.handle(event.room).deliver(event);
    }
  }

  private answered({ id, room, refusal }: Extract<ViewEvent, { type: "answered" }>): void {
    const asked = this.asked.get(id);
    this.asked.delete(id);
    if (refusal === undefined) return asked?.resolve(room ?? null);
    const { code, message, retry_after_ms } = refusal;
    asked?.reject(new Refusal(code, message, retry_after_ms ?? null));
  }

  /** Asks something about rooms or users. */
  private manage(management: Management): Promise<RoomFrame | null> {
    const id = newId(now());
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(new Refusal("offline", "the client was closed"));
      this.asked.set(id, { resolve, reject });
      this.feed({ type: "manage", id, management });
    });
  }

  /** Asks something of a room, under an id of its own. */
  private request(room: string, request: Request): Promise<Outcome> {
    const id = newId(now());
    return new Promise((resolve) => {
      if (this.ended) return resolve({ id, ...UNBEGUN });
      this.outcomes.set(id, resolve);
      this.feed({ ...request, room, id });
    });
  }

  private handle(name: string): ChatRoom {
    const known = this.handles.get(name);
    if (known !== undefined) return known;
    const desk = {
      feed: (input: Input) => this.feed(input),
      request: (room: string, request: Request) => this.request(room, request),
      manage: (management: Management) => this.manage(management),
      publish: () => this.publish(),
    };
    const room = new ChatRoom(name, desk, this.partOf(name));
    this.handles.set(name, room);
    return room;
  }

  private partOf(name: string): RoomPart {
    const { rooms, outbox, role } = this.state;
    const commands = outbox.commands.filter(({ room }) => room === name);
    return { connected: rooms.get(name), commands, self: this.speaker, role };
  }

  /** Tells everyone what has changed since the last time. */
  private publish(): void {
    const { state, told } = this;
    this.told = state;
    this.speaker = speakerOf(state, this.speaker);
    let changed = WATCHED.some((field) => state[field] !== told[field]);
    for (const room of this.handles.values()) changed = room.update(this.partOf(room.name)) || changed;
    for (const [id, resolve] of this.outcomes) {
      const outcome = outcomeOf(id, state.outbox.find(id));
      if (outcome === null) continue;
      this.outcomes.delete(id);
      resolve(outcome);
    }
    const status = this.ended ? CLOSED : statusOf(state);
    if (JSON.stringify(status) !== JSON.stringify(this.current)) {
      this.current = status;
      this.statuses.tell(status);
      changed = true;
    }
    if (changed) this.changes.tell(undefined);
  }

  private async load(): Promise<readonly Command[]> {
    try {
      return await this.storage.load(this.owner);
    } catch (error) {
      this.fail("no_storage", error);
      return [];
    }
  }

  /** `null`: it is done. */
  private save(commands: readonly Command[]): Promise<void> | null {
    const failed = (error: unknown) => this.fail("no_storage", error);
    try {
      return this.storage.save(this.owner, commands)?.catch(failed) ?? null;
    } catch (error) {
      failed(error);
      return null;
    }
  }

  private async release(): Promise<void> {
    await this.ready;
    // What is being stored comes first.
    while (this.saving) await new Promise((resolve) => setTimeout(resolve));
    this.storage.close?.();
  }

  private fail(code: string, error: unknown): void {
    this.problems.tell({ code, message: error instanceof Error ? error.message : String(error) });
  }

  private readonly online = () => this.feed({ type: "network", online: true });
  private readonly offline = () => this.feed({ type: "network", online: false });
}

/** What of the state is told, beside the rooms and the status. */
const WATCHED = ["self", "role", "expiresAt", "limits", "listed", "outbox"] as const;

const CLOSED: Status = { name: "stopped", code: NORMAL, message: "the client was closed" };
const UNBEGUN = { state: "failed", code: "closed", message: "the client was closed before it could begin" } as const;

function checkUser(name: string): void {
  if (!isUserName(name)) throw new TypeError(`not the name of a user, [A-Za-z0-9._@|:+-]{1,64}: ${name}`);
}

function statusOf({ phase, connection, online }: State): Status {
  switch (phase.name) {
    case "idle":
    case "authorizing":
    case "connecting":
    case "greeting":
      return { name: "connecting", again: connection > 1 };
    case "live":
      return { name: "online" };
    case "waiting":
      return { name: "waiting", retryAt: phase.retryAt, code: phase.code, networkDown: !online };
    case "stopped":
      return { name: "stopped", code: phase.code, message: phase.message };
  }
}

/** Who speaks, as far as is known: the same value as before where it is the same. */
function speakerOf({ self, user }: State, before: User): User {
  const { id, name } = self ?? { id: user ?? "", name: user ?? "" };
  return id === before.id && name === before.name ? before : { id, name };
}

/** `null` while it is on its way. */
function outcomeOf(id: string, command: Command | undefined): Outcome | null {
  switch (command?.state) {
    case undefined:
      return { id, state: "settled" };
    case "delivered":
    case "uncertain":
      return { id, state: command.state };
    case "failed":
      return { id, state: "failed", code: command.code, message: command.message };
    case "waiting":
    case "sent":
    case "acked":
      return null;
  }
}

function isOffline(): boolean {
  return "navigator" in globalThis && "onLine" in navigator && !navigator.onLine;
}
