import { expect, test } from "vitest";
import { IDLE, step } from "./connection.ts";
import type { Effect, Input, State } from "./connection/state.ts";
import { ORIGIN } from "./cursor.ts";
import { decode } from "./decode.ts";
import { changesOf } from "./changes.ts";
import type {
  ChangedFrame,
  ClientFrame,
  Entry,
  JoinedFrame,
  MessageFrame,
  Named,
  Position,
  Reason,
  ServerFrame,
} from "./frames.ts";
import type { Command, Request } from "./outbox.ts";
import { EMPTY, type Item, type Timeline, gaps, itemOf, shown } from "./timeline.ts";

/**
 * Two clients and one modelled edge whose log loses its tail in failovers, whose publications get
 * lost, and whose connections break. At the end every message stands exactly once, in the order of
 * the log and as it was changed, at each client; nothing that a client sent or edited is missing, and
 * nothing that it deleted is there.
 */
const SEEDS = 100;
const STEPS = 250;
const TOKEN_EXPIRED = 4005;

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))("seed %i", (seed) => {
  const world = new World(seed);
  for (let turn = 0; turn < STEPS; turn++) world.disturb();
  world.settle();

  const { log } = world.edge;
  const stored = log.map(({ user, id }) => `${user.id}/${id}`);
  expect(new Set(stored).size).toBe(stored.length);
  const kept = visible(world.edge.entries.map(itemOf));
  for (const client of world.clients) {
    const seen = visible(client.timeline.items);
    expect(seen).toEqual(kept.slice(kept.length - seen.length));
    expect(client.twice).toEqual([]);
    const said = kept.map(({ name }) => name);
    for (const id of client.sent) {
      expect(said.includes(`${client.name}/${id}`), id).toBe(!client.deleted.has(id));
    }
    for (const [id, of] of client.edited) {
      if (!client.deleted.has(of)) expect(stored).toContain(`${client.name}/${id}`);
    }
  }
});

class World {
  now = 0;
  readonly edge: Edge;
  readonly clients: readonly Client[];
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = generator(seed + 1);
    this.edge = new Edge(this.random);
    this.clients = ["ada", "bob"].map((name) => new Client(name, this.edge, this.random));
    for (const client of this.clients) {
      client.start([], this.now);
    }
  }

  disturb(): void {
    this.now += Math.floor(this.random() * 400);
    const client = this.clients[this.random() < 0.5 ? 0 : 1];
    if (client === undefined) return;
    const dice = this.random();
    if (dice < 0.2) client.send(this.now);
    else if (dice < 0.25) client.change(this.now);
    else if (dice < 0.3) client.breakConnection(this.now);
    else if (dice < 0.33) this.edge.failover(Math.floor(this.random() * 6));
    else if (dice < 0.34) client.reload(this.now);
    else client.run(this.now, 1 + Math.floor(this.random() * 4));
    for (const each of this.clients) each.timer(this.now);
  }

  /** No more trouble, and time enough for every timer. */
  settle(): void {
    this.edge.reliable = true;
    for (let turn = 0; turn < 400; turn++) {
      this.now += 500;
      for (const client of this.clients) {
        client.timer(this.now);
        client.run(this.now, 1_000);
        client.fillGaps(this.now);
      }
    }
  }
}

/** A client with its socket: frames wait in both directions until they are run or lost. */
class Client {
  timeline: Timeline = EMPTY;
  readonly sent: string[] = [];
  /** The user's own messages that he deleted, and of each edit the message. */
  readonly deleted = new Set<string>();
  readonly edited = new Map<string, string>();
  /** Entries that were delivered a second time. */
  readonly twice: string[] = [];
  readonly name: string;
  private state: State = IDLE;
  private wakeAt: number | null = null;
  private connection: Connection | null = null;
  private wantsToken = false;
  private nextChange = 0;
  private delivered = new Set<string>();
  private readonly edge: Edge;
  private readonly random: () => number;

  constructor(name: string, edge: Edge, random: () => number) {
    this.name = name;
    this.edge = edge;
    this.random = random;
  }

  start(outbox: readonly Command[], now: number): void {
    this.feed({ type: "started", user: null, token: null, tokens: true, rooms: ["general"], outbox }, now);
  }

  feed(input: Input, now: number): void {
    const [state, effects] = step(this.state, input, { at_ms: now, random: this.random() });
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: Effect): void {
    switch (effect.type) {
      case "persist_outbox":
        return;
      case "want_token":
        this.wantsToken = true;
        return;
      case "connect":
        this.connection = new Connection(effect.connection, this.name);
        return this.edge.accept(this.connection);
      case "close":
        return this.drop();
      case "transmit":
        this.connection?.up.push(effect.frame);
        return;
      case "wake_at":
        this.wakeAt = effect.at_ms;
        return;
      case "deliver":
        if (effect.event.type === "joined" || effect.event.type === "entries") {
          for (const { position } of effect.event.entries) {
            if (this.delivered.has(position.tag)) this.twice.push(position.tag);
            this.delivered.add(position.tag);
          }
        }
        this.timeline = shown(this.timeline, effect.event);
    }
  }

  send(now: number): void {
    const id = `${this.name}-${String(this.sent.length)}`;
    this.sent.push(id);
    this.feed({ type: "send", room: "general", id, text: id }, now);
  }

  /** Edits or deletes a message of his own, or reacts to any. */
  change(now: number): void {
    const messages = this.timeline.items.flatMap((item) => (item.type === "message" && !item.lost ? [item.entry] : []));
    const message = messages[Math.floor(this.random() * messages.length)];
    if (message === undefined || this.deleted.has(message.id)) return;
    const own = message.user.id === this.name;
    const dice = this.random();
    const target = { user: message.user.id, id: message.id };
    const id = `${this.name}-change-${String(this.nextChange++)}`;
    let request: Request = { type: "react", target, reaction: "+1", remove: dice < 0.3 };
    if (own && dice < 0.2) {
      request = { type: "delete", target };
      this.deleted.add(message.id);
    } else if (own) {
      request = { type: "edit", target, text: id };
      this.edited.set(id, message.id);
    }
    this.feed({ ...request, room: "general", id }, now);
  }

  /** What the user does by scrolling. */
  fillGaps(now: number): void {
    const before = gaps(this.timeline.items).find((gap) => gap !== null);
    if (before != null) this.feed({ type: "history", room: "general", before: before.to + 1 }, now);
  }

  /** The page is loaded anew: what is left is the outbox. */
  reload(now: number): void {
    this.drop();
    this.timeline = EMPTY;
    this.delivered = new Set();
    const outbox = this.state.outbox.commands;
    this.state = { ...IDLE, connection: this.state.connection };
    this.start(outbox, now);
  }

  breakConnection(now: number): void {
    const { connection } = this;
    if (connection === null) return;
    this.drop();
    const code = this.random() < 0.3 ? TOKEN_EXPIRED : 1006;
    this.feed({ type: "closed", connection: connection.number, code }, now);
  }

  private drop(): void {
    if (this.connection !== null) this.edge.connections.delete(this.connection);
    this.connection = null;
  }

  timer(now: number): void {
    if (this.wakeAt !== null && this.wakeAt <= now) this.feed({ type: "timer" }, now);
  }

  /** Moves up to `frames` frames each way, and hands out the token that is wanted. */
  run(now: number, frames: number): void {
    if (this.wantsToken) {
      this.wantsToken = false;
      this.feed({ type: "token", token: "T" }, now);
    }
    for (let moved = 0; moved < frames && this.connection !== null; moved++) {
      const { connection } = this;
      if (!connection.opened) {
        connection.opened = true;
        this.feed({ type: "opened", connection: connection.number }, now);
        continue;
      }
      const up = connection.up.shift();
      if (up !== undefined) this.edge.handle(connection, up);
      const down = connection.down.shift();
      if (down !== undefined) {
        const frame = decode(down);
        if (frame === null) throw new Error(`not a frame: ${down}`);
        this.feed({ type: "frame", connection: connection.number, frame }, now);
      }
      if (up === undefined && down === undefined) return;
    }
  }
}

class Connection {
  opened = false;
  joined = false;
  readonly up: ClientFrame[] = [];
  readonly down: string[] = [];
  readonly number: number;
  readonly user: string;

  constructor(number: number, user: string) {
    this.number = number;
    this.user = user;
  }

  push(frame: ServerFrame): void {
    this.down.push(JSON.stringify(frame));
  }
}

class Edge {
  /** Each entry as it was stored; what was deleted since comes from `entries` without content. */
  log: (MessageFrame | ChangedFrame)[] = [];
  reliable = false;
  readonly connections = new Set<Connection>();
  private readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  accept(connection: Connection): void {
    this.connections.add(connection);
  }

  get entries(): readonly Entry[] {
    const gone = new Set(
      this.log.flatMap((entry) => (entry.type === "changed" && entry.change === "delete" ? [entry.target.position.tag] : [])),
    );
    return this.log.map((entry) => {
      const { type, room, position, prev } = entry;
      const about = type === "message" ? position : entry.change === "edit" ? entry.target.position : null;
      return about !== null && gone.has(about.tag) ? { type: "skipped", room, position, prev } : entry;
    });
  }

  get head(): Position {
    return this.log.at(-1)?.position ?? ORIGIN;
  }

  /** The tail is lost, and clients hear of it now or with the next entry. */
  failover(entries: number): void {
    this.log = this.log.slice(0, Math.max(0, this.log.length - entries));
    for (const connection of this.connections) {
      if (connection.joined && entries > 0 && this.random() < 0.5) this.join(connection, undefined, "diverged");
    }
  }

  handle(connection: Connection, frame: ClientFrame): void {
    switch (frame.type) {
      case "hello": {
        const user = { id: connection.user, name: connection.user };
        const limits = { text_bytes: 4096, messages_per_second: 5, ping_ms: 5_000 };
        connection.push({ type: "welcome", session: "s", user, edge: "e", limits, rooms: [] });
        for (const { since } of frame.rooms) this.join(connection, since);
        return;
      }
      case "join":
        return this.join(connection, frame.since);
      case "send":
      case "edit":
      case "delete":
      case "react":
        return this.append(connection, frame);
      case "history": {
        const { after, before, limit, ref } = frame;
        const matching = this.entries.filter(
          ({ position: { seq } }) => seq > (after ?? 0) && seq < (before ?? Infinity),
        );
        const messages = after === undefined ? matching.slice(-limit) : matching.slice(0, limit);
        const more = matching.length > messages.length;
        return connection.push({ type: "history", room: "general", messages, more, ref });
      }
      case "ping":
        return connection.push({ type: "pong", rooms: [{ room: "general", position: this.head }] });
      default:
    }
  }

  private join(connection: Connection, since?: Position, reason: Reason | null = null): void {
    connection.joined = true;
    const { head } = this;
    const whole = since !== undefined && this.holds(since);
    const messages = whole ? this.entries.slice(since.seq) : this.entries.slice(-5);
    const [first, rest] = [messages.slice(0, 3), messages.slice(3)];
    const position = first.at(-1)?.position ?? head;
    const joined: JoinedFrame = {
      type: "joined",
      room: "general",
      position,
      head,
      recovered: whole,
      reason: whole || since === undefined ? reason : "diverged",
      lost: null,
      more: rest.length > 0,
      messages: first,
      members_count: 0,
      members: [],
    };
    connection.push(joined);
    if (rest.length === 0) return;
    connection.push({ type: "page", room: "general", messages: rest, position: head, head, more: false });
  }

  /** A message that is not deleted. */
  private find({ user, id }: Named): MessageFrame | undefined {
    return this.entries
      .filter((entry) => entry.type === "message")
      .find((entry) => entry.user.id === user && entry.id === id);
  }

  private holds({ seq, tag }: Position): boolean {
    return seq === 0 || this.log[seq - 1]?.position.tag === tag;
  }

  private append(connection: Connection, frame: ClientFrame & Request): void {
    if (!this.reliable && this.random() < 0.1) {
      const { id: ref } = frame;
      return connection.push({ type: "error", code: "unavailable", message: "", ref, retry_after_ms: 300 });
    }
    const user = { id: connection.user, name: connection.user };
    const known = this.log.find((entry) => entry.id === frame.id && entry.user.id === user.id);
    const { seq, tag: prev } = this.head;
    const { id } = frame;
    const place = { room: "general", position: { seq: seq + 1, tag: tag(this.random) }, prev, id, user, at: 0 };
    const target = frame.type === "send" ? null : this.find(frame.target);
    if (known === undefined && target === undefined) {
      return connection.push({ type: "error", code: "target_missing", message: "", ref: id });
    }
    const entry = known ?? stored(place, frame, target ?? null);
    const ack: ServerFrame = {
      type: "ack",
      room: "general",
      id: frame.id,
      position: entry.position,
      action: "allow",
    };
    const ackFirst = this.random() < 0.5;
    if (ackFirst) connection.push(ack);
    if (known === undefined) {
      this.log = [...this.log, entry];
      for (const each of this.connections) {
        if (each.joined && (this.reliable || this.random() < 0.9)) each.push(entry);
      }
    }
    if (!ackFirst) connection.push(ack);
  }
}

type Place = Pick<MessageFrame, "room" | "position" | "prev" | "id" | "user" | "at">;

function stored(place: Place, frame: Request, message: MessageFrame | null): MessageFrame | ChangedFrame {
  if (frame.type === "send" || message === null) {
    const text = "text" in frame ? frame.text : "";
    return { type: "message", ...place, text, moderation: { action: "allow" } };
  }
  const target = { position: message.position, user: message.user.id, id: message.id };
  const base = { type: "changed", ...place, target } as const;
  switch (frame.type) {
    case "edit":
      return { ...base, change: "edit", text: frame.text };
    case "delete":
      return { ...base, change: "delete" };
    case "react":
      return { ...base, change: "react", reaction: frame.reaction, ...(frame.remove && { remove: true }) };
  }
}

interface Said {
  readonly tag: string;
  readonly name: string;
  readonly text: string;
  readonly reactions: string;
}

/** What is shown of each message. */
function visible(items: readonly Item[]): Said[] {
  const changes = changesOf(items);
  return items.flatMap((item) => {
    if (item.type !== "message" || item.lost) return [];
    const { position, user, id, text } = item.entry;
    const its = changes.get(position.tag);
    if (its?.deletion != null) return [];
    const reactions = its?.reactions.map(({ reaction, users }) => reaction + users.map((each) => each.id).sort().join());
    const name = `${user.id}/${id}`;
    return [{ tag: position.tag, name, text: its?.edit?.text ?? text, reactions: (reactions ?? []).join(" ") }];
  });
}

function tag(random: () => number): string {
  return Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join("");
}

/** A small generator of random numbers (mulberry32), so that a seed repeats its run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
