import { expect, test } from "vitest";
import example from "../example/chat.js?raw";
import readme from "../README.md?raw";

test("the README shows the example that is run, and it has ten lines", () => {
  expect(readme).toContain("```js\n" + example + "```\n");
  expect(example.split("\n").filter((line) => line !== "")).toHaveLength(10);
});
