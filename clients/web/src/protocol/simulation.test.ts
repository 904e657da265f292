import { expect, test } from "vitest";
import { IDLE, step } from "./connection";
import type { Effect, Input, State } from "./connection/state";
import { ORIGIN } from "./cursor";
import { decode } from "./decode";
import type { ClientFrame, JoinedFrame, MessageFrame, Position, Reason, ServerFrame } from "./frames";
import { EMPTY, type Timeline, gaps, shown } from "./timeline";

/**
 * Two clients and one modelled edge whose log loses its tail in failovers, whose publications get
 * lost, and whose connections break. At the end every message stands exactly once, in the order of
 * the log, at each client, and nothing a client sent is missing.
 */
const SEEDS = 100;
const STEPS = 250;

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))("seed %i", (seed) => {
  const world = new World(seed);
  for (let turn = 0; turn < STEPS; turn++) world.disturb();
  world.settle();

  const log = world.edge.log;
  const stored = log.map(({ user, id }) => `${user.id}/${id}`);
  expect(new Set(stored).size).toBe(stored.length);
  for (const client of world.clients) {
    const seen = visible(client.timeline);
    expect(seen).toEqual(log.slice(log.length - seen.length).map((entry) => entry.position.tag));
    expect(client.twice).toEqual([]);
    for (const id of client.sent) expect(stored).toContain(`${client.name}/${id}`);
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
      client.feed({ type: "started", user: client.name, token: null, rooms: ["general"], outbox: [] }, this.now);
    }
  }

  disturb(): void {
    this.now += Math.floor(this.random() * 400);
    const client = this.clients[this.random() < 0.5 ? 0 : 1];
    if (client === undefined) return;
    const dice = this.random();
    if (dice < 0.25) client.send(this.now);
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
  /** Entries that were delivered a second time. */
  readonly twice: string[] = [];
  readonly name: string;
  private state: State = IDLE;
  private wakeAt: number | null = null;
  private connection: Connection | null = null;
  private delivered = new Set<string>();
  private readonly edge: Edge;
  private readonly random: () => number;

  constructor(name: string, edge: Edge, random: () => number) {
    this.name = name;
    this.edge = edge;
    this.random = random;
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
    this.feed({ type: "started", user: this.name, token: null, rooms: ["general"], outbox }, now);
  }

  breakConnection(now: number): void {
    const { connection } = this;
    if (connection === null) return;
    this.drop();
    this.feed({ type: "closed", connection: connection.number, code: 1006 }, now);
  }

  private drop(): void {
    if (this.connection !== null) this.edge.connections.delete(this.connection);
    this.connection = null;
  }

  timer(now: number): void {
    if (this.wakeAt !== null && this.wakeAt <= now) this.feed({ type: "timer" }, now);
  }

  /** Moves up to `frames` frames each way. */
  run(now: number, frames: number): void {
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
  log: MessageFrame[] = [];
  reliable = false;
  readonly connections = new Set<Connection>();
  private readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  accept(connection: Connection): void {
    this.connections.add(connection);
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
        return this.append(connection, frame);
      case "history": {
        const { after, before, limit, ref } = frame;
        const matching = this.log.filter(
          ({ position: { seq } }) => seq > (after ?? 0) && seq < (before ?? Infinity),
        );
        const messages = after === undefined ? matching.slice(-limit) : matching.slice(0, limit);
        const more = matching.length > messages.length;
        return connection.push({ type: "history", room: "general", messages, more, ref });
      }
      case "ping":
        return connection.push({ type: "pong", rooms: [{ room: "general", position: this.head }] });
      case "edit":
      case "delete":
      case "react":
      case "read":
      case "leave":
      case "typing":
    }
  }

  private join(connection: Connection, since?: Position, reason: Reason | null = null): void {
    connection.joined = true;
    const { head } = this;
    const whole = since !== undefined && this.holds(since);
    const messages = whole ? this.log.slice(since.seq) : this.log.slice(-5);
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

  private holds({ seq, tag }: Position): boolean {
    return seq === 0 || this.log[seq - 1]?.position.tag === tag;
  }

  private append(connection: Connection, frame: Extract<ClientFrame, { type: "send" }>): void {
    if (!this.reliable && this.random() < 0.1) {
      const { id: ref } = frame;
      return connection.push({ type: "error", code: "unavailable", message: "", ref, retry_after_ms: 300 });
    }
    const user = { id: connection.user, name: connection.user };
    const known = this.log.find((entry) => entry.id === frame.id && entry.user.id === user.id);
    const { seq, tag: prev } = this.head;
    const entry: MessageFrame = known ?? {
      type: "message",
      room: "general",
      position: { seq: seq + 1, tag: tag(this.random) },
      prev,
      id: frame.id,
      user,
      text: frame.text,
      at: 0,
      moderation: { action: "allow" },
    };
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

function visible({ items }: Timeline): string[] {
  return items.flatMap((item) => (item.type === "message" && !item.lost ? [item.entry.position.tag] : []));
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
