import { expect, test } from "vitest";
import { mentions, titleOf } from "./names";

test.each([
  ["general", undefined, "open", "general"],
  ["private-plans-0123456789abcdef", undefined, "private", "plans"],
  ["private-a-b-0123456789abcdef", undefined, "private", "a-b"],
  ["direct-0123456789abcdef0123456789abcdef", "bob", "direct", "bob"],
])("%s is called by what people know of it", (room, other, kind, name) => {
  expect(titleOf(room, other)).toMatchObject({ kind, name });
});

test.each([
  ["hello @bob", ["bob"]],
  ["@Bob, and @cyd.", ["bob", "cyd"]],
  ["mail bob@bob", []],
  ["@bobby", []],
  ["@bob.b is another", []],
  ["(@bob)", ["bob"]],
])("%j names %j", (text, named) => {
  expect(mentions(text, ["bob", "cyd"])).toEqual(named);
});
