import { expect, test } from "vitest";
import { segments } from "./links";

test.each([
  ["no link", [{ text: "no link" }]],
  ["", []],
  [
    "see https://example.org/a.",
    [{ text: "see " }, { text: "https://example.org/a", href: "https://example.org/a" }, { text: "." }],
  ],
  [
    "(https://example.org/a_(b))",
    [{ text: "(" }, { text: "https://example.org/a_(b)", href: "https://example.org/a_(b)" }, { text: ")" }],
  ],
  ["javascript:alert(1)", [{ text: "javascript:alert(1)" }]],
  ["data:text/html,<b>x</b>", [{ text: "data:text/html,<b>x</b>" }]],
  ["http://", [{ text: "http://" }]],
])("%j is split into text and links", (text, expected) => {
  expect(segments(text)).toEqual(expected);
});
