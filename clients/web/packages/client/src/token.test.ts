import { expect, test } from "vitest";
import { subjectOf } from "./token.ts";

function token(claims: object): string {
  const part = (value: object) => btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `${part({ alg: "ES256" })}.${part(claims)}.signature`;
}

test("a user has one outbox whatever token he comes with", () => {
  const [first, next] = [1, 2].map((exp) => subjectOf(token({ iss: "a", sub: "ada?>~", exp })));
  expect(first).toBe(next);
  const others = [{ iss: "a", sub: "bob" }, { iss: "b", sub: "ada?>~" }].map((claims) => subjectOf(token(claims)));
  expect(new Set([first, ...others]).size).toBe(3);
});

test("what is no token is the outbox of nobody else", () => {
  expect(subjectOf("opaque")).toBe("opaque");
});
