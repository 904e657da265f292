import { expect, test } from "vitest";
import type { Change, ChangedFrame, Entry, MessageFrame } from "./frames.ts";
import { linesOf } from "./lines.ts";
import { messagesOf } from "./messages.ts";
import type { Command, Request } from "./outbox.ts";
import { EMPTY, type Timeline, shown } from "./timeline.ts";

const ADA = { id: "ada", name: "Ada" };

function message(seq: number, user = "bob"): MessageFrame {
  return {
    type: "message",
    room: "general",
    position: { seq, tag: seq.toString(16).padStart(16, "0") },
    prev: (seq - 1).toString(16).padStart(16, "0"),
    id: `m${seq}`,
    user: { id: user, name: user },
    text: "",
    at: seq,
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
  return linesOf(room, commands, "ada").map((line) => {
    switch (line.type) {
      case "message": {
        const { edit, reactions } = line.changes;
        const reacted = reactions.map(({ reaction, users }) => ` ${reaction}${users.map(({ id }) => id).join("+")}`);
        const quote = line.quote === null ? "" : ` answers ${line.quote.name ?? "?"}: ${line.quote.text ?? "?"}`;
        const said = edit === null ? "" : ` says ${edit.text}`;
        return `${line.lost ? "lost " : ""}${line.message.position.seq}${said}${reacted.join("")}${quote}`;
      }
      case "deleted":
        return `deleted by ${line.by}`;
      case "gap":
        return `gap before ${line.before}`;
      case "gone":
        return `gone ${line.lost.from}-${line.lost.to}`;
      case "pending":
        return `pending ${line.command.id}`;
    }
  });
}

test("what was not read yet can be asked for, above and between", () => {
  expect(told(timeline(message(5), message(8)))).toEqual(["gap before 5", "5", "gap before 8", "8"]);
});

test("nothing is asked for above the beginning of the log", () => {
  expect(told(timeline(message(1)))).toEqual(["1"]);
  const all = shown(timeline(message(5)), { type: "history", room: "general", entries: [], more: false });
  expect(told(all)).toEqual(["5"]);
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
  expect(told(room)).toEqual(["1", "gone 2-4", "5"]);
});

test("a message that a failover lost is marked until it comes again", () => {
  const before = timeline(message(1), message(2));
  const forked = shown(before, { type: "forked", room: "general", lost: [message(2).position] });
  expect(told(forked)).toEqual(["1", "lost 2"]);
  const again = { ...message(2), position: { seq: 2, tag: "00000000000000aa" } };
  const whole = shown(forked, { type: "entries", room: "general", entries: [again] });
  expect(told(whole)).toEqual(["1", "2"]);
});

test("an edit shows in the place of its message, the newest of them, whatever order they are read in", () => {
  const edits = [change(2, message(1), { change: "edit", text: "b" }), change(3, message(1), { change: "edit", text: "c" })];
  const forwards = timeline(message(1), ...edits);
  const older = { type: "history", room: "general", entries: [message(1), ...edits.slice(0, 1)], more: false } as const;
  const backwards = shown(timeline(...edits.slice(1)), older);
  for (const room of [forwards, backwards]) expect(told(room)).toEqual(["1 says c"]);
});

test("a deleted message is gone in its place, seen before or not", () => {
  const deletion = change(3, message(1), { change: "delete" });
  const { room, position, prev } = message(1);
  const tombstone = { type: "skipped", room, position, prev } as const;
  const edit = change(2, message(1), { change: "edit", text: "b" });
  for (const first of [message(1), tombstone]) {
    expect(told(timeline(first, edit, deletion, message(4)))).toEqual(["deleted by bob", "4"]);
  }
  const between = timeline(message(1), message(2), message(3), change(4, message(2), { change: "delete" }));
  expect(told(between)).toEqual(["1", "deleted by bob", "3"]);
});

test("a message that a failover lost is not shown once it was deleted where it came again", () => {
  const forked = shown(timeline(message(1), message(2)), { type: "forked", room: "general", lost: [message(2).position] });
  const again = { ...message(2), position: { seq: 2, tag: "00000000000000aa" } };
  const { room, position, prev } = again;
  const entries = [{ type: "skipped", room, position, prev }, change(3, again, { change: "delete" })] as const;
  expect(told(shown(forked, { type: "entries", room: "general", entries }))).toEqual(["1", "deleted by bob"]);
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
  expect(told(room)).toEqual(["1 +1ada+bob"]);
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
  expect(told(timeline(change(5, message(1), { change: "edit", text: "b" }), message(6)))).toEqual(["gap before 5", "6"]);
});

test("own unsettled messages stand at the end and keep their key when they are delivered", () => {
  const lines = linesOf(timeline(message(1)), [pending("m2")], "ada");
  const delivered = linesOf(timeline(message(1), message(2, "ada")), [], "ada");
  expect(lines.at(-1)?.key).toBe(delivered.at(-1)?.key);
});

test("an own message whose place is in doubt is shown once", () => {
  const lines = told(timeline(message(1), message(2, "ada")), [pending("m2", "ada"), pending("m3")]);
  expect(lines).toEqual(["1", "2", "pending m3"]);
});

test("a message shows as its reader asked for, and as the log has it where that is refused", () => {
  const asked = (request: Request, state: "waiting" | "failed"): Command => {
    const draft = { ...request, id: "c", room: "general", created_at_ms: 9, tries: 0, user: null, after: null };
    return state === "failed"
      ? { ...draft, state, code: "forbidden", message: "" }
      : { ...draft, state, not_before_ms: 0, paced: false };
  };
  const target = { user: "bob", id: "m1" };
  const room = timeline({ ...message(1), text: "a" });
  const shownWith = (...commands: Command[]) =>
    messagesOf(linesOf(room, commands, "ada"), ADA).map(({ text, editedAt, reactions, changes }) => ({
      text,
      editedAt,
      reactions,
      changes: changes.length,
    }));
  const requests: Request[] = [
    { type: "edit", target, text: "b" },
    { type: "react", target, reaction: "+1" },
  ];
  expect(shownWith(...requests.map((request) => asked(request, "waiting")))).toEqual([
    { text: "b", editedAt: 9, reactions: [{ reaction: "+1", users: [ADA] }], changes: 2 },
  ]);
  expect(shownWith(...requests.map((request) => asked(request, "failed")))).toEqual([
    { text: "a", editedAt: null, reactions: [], changes: 2 },
  ]);
});

test("a message of the user's own is his from its draft on", () => {
  const messages = messagesOf(linesOf(timeline(message(1)), [pending("m2"), pending("m3", "eve")], "ada"), ADA);
  expect(messages.map(({ id, user, state, position }) => [id, user.name, state, position?.seq ?? null])).toEqual([
    ["m1", "bob", "delivered", 1],
    ["m2", "Ada", "waiting", null],
    ["m3", "eve", "waiting", null],
  ]);
});

test("what an operator erased vanishes, and leaves no line", () => {
  const erasure = (seq: number, of: Entry): ChangedFrame => ({
    ...change(seq, message(1), { change: "delete" }, "erased"),
    target: { position: of.position, user: "erased", id: "1" },
  });
  const heart = change(3, message(1), { change: "react", reaction: "heart" }, "eve");
  const deletion = change(5, message(4), { change: "delete" });
  const before = timeline(message(1), message(2, "eve"), heart, message(4), deletion);
  expect(told(before)).toEqual(["1 hearteve", "2", "deleted by bob"]);
  // Eve's message and reaction; and that bob deleted something, which stays deleted.
  const erased = [erasure(6, message(2)), erasure(7, heart), erasure(8, deletion)];
  const after = shown(before, { type: "entries", room: "general", entries: erased });
  expect(told(after)).toEqual(["1", "deleted by bob"]);
  // To whoever comes later their places are empty, and nothing is told of it.
  const skipped = (seq: number): Entry => {
    const { room, position, prev } = message(seq);
    return { type: "skipped", room, position, prev };
  };
  const later = timeline(message(1), skipped(2), skipped(3), skipped(4), erasure(5, message(4)), ...erased);
  expect(told(later)).toEqual(["1"]);
});
