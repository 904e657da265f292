import { expect, test } from "vitest";
import type { MessageFrame } from "../../protocol/frames";
import type { Command } from "../../protocol/outbox";
import { EMPTY, type Timeline, shown } from "../../protocol/timeline";
import { rowsOf } from "./rows";

const NOON = Date.UTC(2026, 0, 5, 12);
const MINUTE = 60_000;

function message(seq: number, user = "bob", at = NOON + seq): MessageFrame {
  return {
    type: "message",
    room: "general",
    position: { seq, tag: seq.toString(16).padStart(16, "0") },
    prev: (seq - 1).toString(16).padStart(16, "0"),
    id: `m${seq}`,
    user: { id: user, name: user },
    text: "",
    at,
    moderation: { action: "allow" },
  };
}

function timeline(...entries: MessageFrame[]): Timeline {
  return shown(EMPTY, { type: "entries", room: "general", entries });
}

function pending(id: string, user: string | null = null): Command {
  const draft = { type: "send", id, room: "general", text: "", created_at_ms: 0, tries: 0, user, after: null } as const;
  return { ...draft, state: "waiting", not_before_ms: 0, paced: false };
}

function told(room: Timeline, commands: readonly Command[] = []): string[] {
  return rowsOf(room, commands, "ada").map((row) => {
    switch (row.type) {
      case "message":
        return `${row.opens ? "opens " : ""}${row.lost ? "lost " : ""}${row.message.position.seq}`;
      case "gap":
        return `gap before ${row.before}`;
      case "gone":
        return `gone ${row.lost.from}-${row.lost.to}`;
      case "pending":
        return `${row.opens ? "opens " : ""}pending ${row.command.id}`;
      case "day":
        return "day";
    }
  });
}

test("messages of one author stand together for five minutes", () => {
  const late = message(4, "bob", NOON + 6 * MINUTE);
  expect(told(timeline(message(1), message(2), message(3, "ada"), late))).toEqual([
    "day",
    "opens 1",
    "2",
    "opens 3",
    "opens 4",
  ]);
});

test("what was not read yet can be asked for, above and between", () => {
  expect(told(timeline(message(5), message(8)))).toEqual([
    "gap before 5",
    "day",
    "opens 5",
    "gap before 8",
    "day",
    "opens 8",
  ]);
});

test("nothing is asked for above the beginning of the log", () => {
  expect(told(timeline(message(1)))).toEqual(["day", "opens 1"]);
  const all = shown(timeline(message(5)), { type: "history", room: "general", entries: [], more: false });
  expect(told(all)).toEqual(["day", "opens 5"]);
});

test("lost numbers are told where they were, and are no gap", () => {
  const lost = { from: 2, to: 4 };
  const members = { members_count: 0, members: [] };
  const room = shown(timeline(message(1)), {
    type: "joined",
    room: "general",
    recovered: false,
    reason: "trimmed",
    lost,
    entries: [message(5)],
    ...members,
  });
  expect(told(room)).toEqual(["day", "opens 1", "gone 2-4", "day", "opens 5"]);
});

test("a message that a failover lost is marked until it comes again", () => {
  const before = timeline(message(1), message(2));
  const forked = shown(before, { type: "forked", room: "general", lost: [message(2).position] });
  expect(told(forked)).toEqual(["day", "opens 1", "lost 2"]);
  const again = { ...message(2), position: { seq: 2, tag: "00000000000000aa" } };
  const whole = shown(forked, { type: "entries", room: "general", entries: [again] });
  expect(told(whole)).toEqual(["day", "opens 1", "2"]);
});

test("an own message whose place is in doubt is shown once", () => {
  const rows = told(timeline(message(1), message(2, "ada")), [pending("m2", "ada"), pending("m3")]);
  expect(rows.filter((row) => row.startsWith("pending"))).toHaveLength(1);
});

test("own unsettled messages stand at the end and keep their key when they are delivered", () => {
  const rows = rowsOf(timeline(message(1)), [pending("m2")], "ada");
  const delivered = rowsOf(timeline(message(1), message(2, "ada")), [], "ada");
  expect(rows.at(-1)?.key).toBe(delivered.at(-1)?.key);
});
