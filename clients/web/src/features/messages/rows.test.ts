import type { Line, MessageFrame } from "@clustertalk/client";
import { expect, test } from "vitest";
import { rowsOf } from "./rows";

const NOON = Date.UTC(2026, 0, 5, 12);
const MINUTE = 60_000;

function said(seq: number, user = "bob", at = NOON + seq): Line {
  const message: MessageFrame = {
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
  const changes = { edit: null, deletion: null, reactions: [] };
  return { key: `message ${seq}`, type: "message", message, changes, asked: [], quote: null, lost: false };
}

function pending(id: string): Line {
  const draft = { type: "send", id, room: "general", text: "", created_at_ms: 0, tries: 0, user: null, after: null } as const;
  const command = { ...draft, state: "waiting", not_before_ms: 0, paced: false } as const;
  return { key: `pending ${id}`, type: "pending", command, quote: null };
}

function told(...lines: Line[]): string[] {
  return rowsOf(lines, "ada").map((row) => {
    const opens = "opens" in row && row.opens ? "opens " : "";
    return opens + (row.type === "day" ? "day" : row.key);
  });
}

test("messages of one author stand together for five minutes", () => {
  const late = said(4, "bob", NOON + 6 * MINUTE);
  expect(told(said(1), said(2), said(3, "ada"), late)).toEqual([
    "day",
    "opens message 1",
    "message 2",
    "opens message 3",
    "opens message 4",
  ]);
});

test("each day is named, and again behind what is missing", () => {
  const gap = { key: "gap", type: "gap", before: 5 } as const;
  const tomorrow = said(6, "bob", NOON + 24 * 60 * MINUTE);
  expect(told(said(1), gap, said(5), tomorrow)).toEqual([
    "day",
    "opens message 1",
    "gap",
    "day",
    "opens message 5",
    "day",
    "opens message 6",
  ]);
});

test("behind a deleted message an author begins anew", () => {
  const deleted = { key: "deleted", type: "deleted", by: "bob", author: "bob" } as const;
  expect(told(said(1), deleted, said(3), said(4))).toEqual([
    "day",
    "opens message 1",
    "deleted",
    "opens message 3",
    "message 4",
  ]);
});

test("own unsettled messages go on where the user spoke last", () => {
  expect(told(said(1), pending("a"), pending("b"))).toEqual(["day", "opens message 1", "opens pending a", "pending b"]);
  expect(told(said(1, "ada"), pending("a")).at(-1)).toBe("pending a");
});
