import { describe, expect, test } from "vitest";
import { IDLE, step } from "./connection.ts";
import type { Effect, Input } from "./connection/state.ts";
import { RoomCursor, type Link, type Verdict } from "./cursor.ts";
import { decode } from "./decode.ts";
import type { Entry, Position } from "./frames.ts";
import { type Command, Outbox, type Refusal, type Request } from "./outbox.ts";

/** The formats are in edge-hub/protocol/vectors/README.md. */
const CURSOR = import.meta.glob<CursorVector>("../../../../../../edge-hub/protocol/vectors/cursor/*.json", {
  eager: true,
  import: "default",
});
const OUTBOX = import.meta.glob<OutboxVector>("../../../../../../edge-hub/protocol/vectors/outbox/*.json", {
  eager: true,
  import: "default",
});
const CLIENT = import.meta.glob<ClientVector>("../../../../../../edge-hub/protocol/vectors/client/*.json", {
  eager: true,
  import: "default",
});

const FRAMES = import.meta.glob<FramesVector>("../../../../../../edge-hub/protocol/vectors/frames/*.json", {
  eager: true,
  import: "default",
});

interface FramesVector {
  readonly name: string;
  readonly server?: readonly { readonly example: string; readonly frame: unknown }[];
}

interface CursorVector {
  readonly name: string;
  readonly capacity: number;
  readonly start: Position;
  readonly steps: readonly { readonly offer: Link; readonly expect: Verdict }[];
}

interface OutboxVector {
  readonly name: string;
  readonly why: string;
  readonly start?: readonly Command[];
  readonly steps: readonly (
    | { readonly at_ms: number; readonly input: OutboxInput; readonly commands: readonly Command[] }
    | { readonly at_ms: number; readonly ask: Question; readonly answer: unknown }
  )[];
}

type OutboxInput =
  | {
      readonly type: "welcomed";
      readonly connection: number;
      readonly user: string;
      readonly messages_per_second: number;
    }
  | {
      readonly type: "added";
      readonly room: string;
      readonly id: string;
      readonly self: string | null;
      readonly asked: Request;
      readonly ready: boolean;
    }
  | { readonly type: "retried"; readonly id: string; readonly ready: boolean }
  | { readonly type: "discarded" | "unsent"; readonly id: string }
  | { readonly type: "sent"; readonly id: string; readonly after: Position }
  | {
      readonly type: "acked";
      readonly id: string;
      readonly position: Position;
      readonly cursor: readonly Position[] | null;
    }
  | ({ readonly type: "refused"; readonly id: string } & Refusal)
  | { readonly type: "passed"; readonly entries: readonly Entry[] }
  | {
      readonly type: "reviewed";
      readonly room: string;
      readonly cursor: readonly Position[];
      readonly head: Position | null;
    }
  | { readonly type: "forked"; readonly room: string; readonly cursor: readonly Position[] }
  | { readonly type: "caught_up"; readonly room: string; readonly lost_to: number | null }
  | {
      readonly type: "decided";
      readonly room: string;
      readonly kept: readonly Position[];
      readonly lost: readonly Position[];
    }
  | { readonly type: "untold"; readonly room: string; readonly to: number }
  | { readonly type: "room_deleted"; readonly room: string }
  | { readonly type: "pruned" };

type Question =
  | { readonly type: "next_to_send"; readonly rooms: readonly string[] }
  | { readonly type: "in_doubt"; readonly room: string; readonly cursor: readonly Position[] }
  | { readonly type: "resume_at"; readonly room: string }
  | { readonly type: "is_stored_beyond"; readonly room: string; readonly position: Position };

interface ClientVector {
  readonly name: string;
  readonly why: string;
  readonly steps: readonly {
    readonly at_ms: number;
    readonly random?: number;
    readonly input: Input;
    readonly effects: readonly Effect[];
    readonly phase?: string;
  }[];
}

describe(`cursor (${String(Object.keys(CURSOR).length)} vectors)`, () => {
  for (const [path, vector] of Object.entries(CURSOR)) {
    test(vector.name, () => {
      hasOnly(vector, ["name", "capacity", "start", "steps"]);
      isNamedAs(path, vector.name);
      let cursor = RoomCursor.at(vector.start, vector.capacity);
      const told = vector.steps.map(({ offer, ...rest }) => {
        hasOnly(rest, ["expect"]);
        hasOnly(offer, ["seq", "prev", "tag", "from"]);
        const [verdict, next] = cursor.offer(offer);
        cursor = next;
        return verdict;
      });
      expect(told).toEqual(vector.steps.map((each) => each.expect));
    });
  }
});

describe("frames from the server", () => {
  const examples = Object.values(FRAMES).flatMap(({ server = [] }) => server);
  test.each(examples)("$example", ({ frame }) => {
    expect(decode(JSON.stringify(frame))).toEqual(frame);
  });
});

describe(`outbox (${String(Object.keys(OUTBOX).length)} vectors)`, () => {
  for (const [path, vector] of Object.entries(OUTBOX)) {
    test(vector.name, () => {
      hasOnly(vector, ["name", "why", "start", "steps"]);
      isNamedAs(path, vector.name);
      let outbox = Outbox.restored(vector.start ?? []);
      for (const [index, each] of vector.steps.entries()) {
        const place = `step ${String(index)}: ${JSON.stringify("ask" in each ? each.ask : each.input)}`;
        if ("ask" in each) {
          hasOnly(each, ["at_ms", "ask", "answer"]);
          expect(answered(outbox, each.at_ms, each.ask), place).toEqual(each.answer);
        } else {
          hasOnly(each, ["at_ms", "input", "commands"]);
          hasOnly(each.input, OUTBOX_KEYS[each.input.type]);
          outbox = fed(outbox, each.at_ms, each.input);
          expect(outbox.commands, place).toEqual(each.commands);
        }
      }
    });
  }
});

const OUTBOX_KEYS: Record<OutboxInput["type"], readonly string[]> = {
  welcomed: ["type", "connection", "user", "messages_per_second"],
  added: ["type", "room", "id", "self", "asked", "ready"],
  retried: ["type", "id", "ready"],
  discarded: ["type", "id"],
  sent: ["type", "id", "after"],
  acked: ["type", "id", "position", "cursor"],
  unsent: ["type", "id"],
  refused: ["type", "id", "code", "message", "retry_after_ms"],
  passed: ["type", "entries"],
  reviewed: ["type", "room", "cursor", "head"],
  forked: ["type", "room", "cursor"],
  caught_up: ["type", "room", "lost_to"],
  decided: ["type", "room", "kept", "lost"],
  untold: ["type", "room", "to"],
  room_deleted: ["type", "room"],
  pruned: ["type"],
};

function fed(outbox: Outbox, now: number, input: OutboxInput): Outbox {
  switch (input.type) {
    case "welcomed":
      return outbox.welcomed(input.connection, input.user, input.messages_per_second);
    case "added":
      return outbox.added(now, { ...input.asked, room: input.room, id: input.id }, input.ready, input.self);
    case "retried":
      return outbox.retried(input.id, input.ready);
    case "discarded":
      return outbox.discarded(input.id);
    case "sent":
      return outbox.sent(now, input.id, input.after);
    case "acked":
      return outbox.acked(now, input.id, input.position, input.cursor && cursorThatPassed(input.cursor));
    case "unsent":
      return outbox.unsent(input.id);
    case "refused":
      return outbox.refused(now, input.id, input);
    case "passed":
      return outbox.passed(now, input.entries.map(entryOverTheWire));
    case "reviewed":
      return outbox.reviewed(now, input.room, cursorThatPassed(input.cursor), input.head);
    case "forked":
      return outbox.forked(input.room, cursorThatPassed(input.cursor));
    case "caught_up":
      return outbox.caughtUp(input.room, input.lost_to);
    case "decided":
      return outbox.decided(now, input.room, input.kept, input.lost);
    case "untold":
      return outbox.untold(input.room, input.to);
    case "room_deleted":
      return outbox.roomDeleted(input.room);
    case "pruned":
      return outbox.pruned(now);
  }
}

function answered(outbox: Outbox, now: number, ask: Question): unknown {
  switch (ask.type) {
    case "next_to_send": {
      const ready = (room: string) => ask.rooms.includes(room);
      const next = outbox.nextToSend(now, ready);
      return { id: next?.id ?? null, deadline_ms: outbox.nextDeadline(ready) };
    }
    case "in_doubt":
      return outbox.inDoubt(ask.room, cursorThatPassed(ask.cursor));
    case "is_stored_beyond":
      return outbox.isStoredBeyond(ask.room, ask.position.seq);
    case "resume_at":
      return outbox.resumeAt(ask.room);
  }
}

function cursorThatPassed([first, ...rest]: readonly Position[]): RoomCursor {
  if (first === undefined) throw new Error("a cursor has a position");
  return rest.reduce((cursor, position) => cursor.advance(position), RoomCursor.at(first));
}

function entryOverTheWire(entry: Entry): Entry {
  const frame = decode(JSON.stringify(entry));
  if (frame?.type !== "message" && frame?.type !== "changed" && frame?.type !== "skipped") {
    throw new Error("not an entry");
  }
  return frame;
}

describe(`client (${String(Object.keys(CLIENT).length)} vectors)`, () => {
  for (const [path, vector] of Object.entries(CLIENT)) {
    test(vector.name, () => {
      hasOnly(vector, ["name", "why", "steps"]);
      isNamedAs(path, vector.name);
      let state = IDLE;
      for (const [index, { at_ms, random = 0.5, input, effects, phase, ...rest }] of vector.steps.entries()) {
        hasOnly(rest, []);
        hasOnly(input, INPUT_KEYS[input.type]);
        const [next, told] = step(state, overTheWire(input), { at_ms, random });
        expect(told, `step ${String(index)}: ${JSON.stringify(input)}`).toEqual(effects);
        if (phase !== undefined) expect(next.phase.name, `step ${String(index)}`).toBe(phase);
        state = next;
      }
    });
  }
});

const INPUT_KEYS: Record<Input["type"], readonly string[]> = {
  started: ["type", "user", "token", "tokens", "rooms", "outbox"],
  opened: ["type", "connection"],
  frame: ["type", "connection", "frame"],
  closed: ["type", "connection", "code"],
  timer: ["type"],
  network: ["type", "online"],
  token: ["type", "token"],
  send: ["type", "room", "id", "text", "reply_to", "mentions"],
  edit: ["type", "room", "id", "target", "text"],
  delete: ["type", "room", "id", "target"],
  react: ["type", "room", "id", "target", "reaction", "remove"],
  retry: ["type", "id"],
  discard: ["type", "id"],
  join: ["type", "room", "since"],
  leave: ["type", "room"],
  typing: ["type", "room"],
  read: ["type", "room", "seq"],
  manage: ["type", "id", "management"],
  history: ["type", "room", "before"],
  rename: ["type", "user"],
  reconnect: ["type"],
};

/** A frame passes through the decoder, as it does in the client. */
function overTheWire(input: Input): Input {
  if (input.type !== "frame") return input;
  const frame = decode(JSON.stringify(input.frame));
  if (frame === null) throw new Error(`not a frame: ${JSON.stringify(input.frame)}`);
  return { ...input, frame };
}

function hasOnly(value: object, keys: readonly string[]): void {
  expect(Object.keys(value).filter((key) => !keys.includes(key))).toEqual([]);
}

function isNamedAs(path: string, name: string): void {
  expect(path.endsWith(`/${name}.json`)).toBe(true);
}
