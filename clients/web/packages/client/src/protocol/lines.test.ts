import { expect, test } from "vitest";
import type { Change, ChangedFrame, Entry, MessageFrame } from "../../protocol/frames.ts";
import type { Command } from "../../protocol/outbox.ts";
import { EMPTY, type Timeline, shown } from "../../protocol/timeline.ts";
import { rowsOf } from "./rows.ts";

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

function change(seq: number, of: MessageFrame, what: Change, user = "bob"): ChangedFrame {
  const { room, position, prev, at } = message(seq);
  const target = { position: of.position, user: of.user.id, id: of.id };
  return { ...what, type: "changed", room, position, prev, id: `c${seq}`, user: { id: user, name: user }, at, target };
}

function timeline(...entries: Entry[]): Timeline {
  return shown(EMPTY, { type: "entries", room: "general", entries });
}

function pending(id: string, user: string | null = null): Command {
  const draft = { type: "send", id, room: "general", text: "", created_at_ms: 0, tries: 0, user, after: null } as const;
  return { ...draft, state: "waiting", not_before_ms: 0, paced: false };
}

function told(room: Timeline, commands: readonly Command[] = []): string[] {
  return rowsOf(room, commands, "ada").map((row) => {
    switch (row.type) {
      case "message": {
        const { edit, reactions } = row.changes;
        const reacted = reactions.map(({ reaction, users }) => ` ${reaction}${users.map(({ id }) => id).join("+")}`);
        const quote = row.quote === null ? "" : ` answers ${row.quote.name ?? "?"}: ${row.quote.text ?? "?"}`;
        const said = edit === null ? "" : ` says ${edit.text}`;
        const seq = row.message.position.seq;
        return `${row.opens ? "opens " : ""}${row.lost ? "lost " : ""}${seq}${said}${reacted.join("")}${quote}`;
      }
      case "deleted":
        return `deleted by ${row.by}`;
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

test("an edit shows in the place of its message, the newest of them, whatever order they are read in", () => {
  const edits = [change(2, message(1), { change: "edit", text: "b" }), change(3, message(1), { change: "edit", text: "c" })];
  const forwards = timeline(message(1), ...edits);
  const older = { type: "history", room: "general", entries: [message(1), ...edits.slice(0, 1)], more: false } as const;
  const backwards = shown(timeline(...edits.slice(1)), older);
  for (const room of [forwards, backwards]) expect(told(room)).toEqual(["day", "opens 1 says c"]);
});

test("a deleted message is gone in its place, seen before or not", () => {
  const deletion = change(3, message(1), { change: "delete" });
  const { room, position, prev } = message(1);
  const tombstone = { type: "skipped", room, position, prev } as const;
  const edit = change(2, message(1), { change: "edit", text: "b" });
  for (const first of [message(1), tombstone]) {
    expect(told(timeline(first, edit, deletion, message(4)))).toEqual(["deleted by bob", "day", "opens 4"]);
  }
  const between = timeline(message(1), message(2), message(3), change(4, message(2), { change: "delete" }));
  expect(told(between)).toEqual(["day", "opens 1", "deleted by bob", "opens 3"]);
});

test("a message that a failover lost is not shown once it was deleted where it came again", () => {
  const forked = shown(timeline(message(1), message(2)), { type: "forked", room: "general", lost: [message(2).position] });
  const again = { ...message(2), position: { seq: 2, tag: "00000000000000aa" } };
  const { room, position, prev } = again;
  const entries = [{ type: "skipped", room, position, prev }, change(3, again, { change: "delete" })] as const;
  expect(told(shown(forked, { type: "entries", room: "general", entries }))).toEqual(["day", "opens 1", "deleted by bob"]);
});

test("reactions are grouped, each user once", () => {
  const react = (seq: number, user: string, reaction: string, remove = false) =>
    change(seq, message(1), { change: "react", reaction, remove }, user);
  const room = timeline(
    message(1),
    react(2, "ada", "+1"),
    react(3, "bob", "ok"),
    react(4, "bob", "+1"),
    react(5, "ada", "+1"),
    react(6, "bob", "ok", true),
    react(7, "cyd", "ok", true),
  );
  expect(told(room)).toEqual(["day", "opens 1 +1ada+bob"]);
});

test("an answer shows what it answers, as that stands now", () => {
  const said = { ...message(1), text: "what?" };
  const answers = [{ user: "bob", id: "m1" }, said.position, { user: "eve", id: "x" }, message(9).position];
  const all = answers.map((reply_to, index) => ({ ...message(index + 2), reply_to }));
  const quotes = (room: Timeline) => told(room).flatMap((line) => line.split(" answers ").slice(1));
  expect(quotes(timeline(said, ...all))).toEqual(["bob: what?", "bob: what?", "eve: ?", "?: ?"]);
  const edited = change(6, said, { change: "edit", text: "when?" });
  expect(quotes(timeline(said, ...all, edited))[0]).toBe("bob: when?");
  expect(quotes(timeline(said, ...all, change(6, said, { change: "delete" })))[0]).toBe("bob: ?");
});

test("changes of messages that were not read show nothing", () => {
  expect(told(timeline(change(5, message(1), { change: "edit", text: "b" }), message(6)))).toEqual([
    "gap before 5",
    "day",
    "opens 6",
  ]);
});

test("own unsettled messages stand at the end and keep their key when they are delivered", () => {
  const rows = rowsOf(timeline(message(1)), [pending("m2")], "ada");
  const delivered = rowsOf(timeline(message(1), message(2, "ada")), [], "ada");
  expect(rows.at(-1)?.key).toBe(delivered.at(-1)?.key);
});
