import { expect, test } from "vitest";
import { socketAddress } from "./socket.ts";

test.each([
  ["https://chat.example.org", "wss://chat.example.org/ws"],
  ["http://127.0.0.1:3000/", "ws://127.0.0.1:3000/ws"],
  ["https://example.org/chat/?a=1#b", "wss://example.org/chat/ws"],
  ["wss://chat.example.org/socket?a=1", "wss://chat.example.org/socket?a=1"],
])("the socket of %s is %s", (edge, socket) => {
  expect(socketAddress(edge)).toBe(socket);
  expect(socketAddress(new URL(edge))).toBe(socket);
});

test.each(["", "chat.example.org", "file:///chat"])("%j is the address of no edge", (edge) => {
  expect(() => socketAddress(edge)).toThrow(TypeError);
});
