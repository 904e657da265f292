import { describe, expect, test } from "vitest";
import { IDLE, step } from "./connection.ts";
import type { Effect, Input } from "./connection/state.ts";
import { RoomCursor, type Link, type Verdict } from "./cursor.ts";
import { decode } from "./decode.ts";
import type { Position } from "./frames.ts";

/** The formats are in edge-hub/protocol/vectors/README.md. */
const CURSOR = import.meta.glob<CursorVector>("../../../../../../edge-hub/protocol/vectors/cursor/*.json", {
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
  join: ["type", "room"],
  leave: ["type", "room"],
  typing: ["type", "room"],
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
