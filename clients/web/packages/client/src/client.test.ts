import { afterEach, expect, test, vi } from "vitest";
import { ChatClient } from "./client.ts";
import type { Socket } from "./socket.ts";

/** A socket to nobody, which never opens. */
class Silent implements Socket {
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  send(): void {
    throw new Error("it is not open");
  }
  close(): void {
    // Nobody is there to be told.
  }
}

afterEach(() => void vi.useRealTimers());

test("a timer that fires before its moment is set again", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const client = new ChatClient({ url: "ws://edge.example.org/ws", user: "ada", WebSocket: Silent });
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(1);
  // The clock itself has hardly moved.
  await vi.advanceTimersByTimeAsync(10_000);
  expect(vi.getTimerCount()).toBe(1);
  expect(client.status).toEqual({ name: "connecting", again: false });
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("what is said before there is a token waits for it", async () => {
  let sign: (token: string) => void = () => undefined;
  const token = () => new Promise<string>((resolve) => (sign = resolve));
  const client = new ChatClient({ url: "ws://edge.example.org/ws", token, WebSocket: Silent });
  const room = client.room("general");
  const sent = room.send("early");
  expect(room.messages).toEqual([]);
  const shown = new Promise<readonly string[]>((resolve) =>
    room.subscribe(({ messages }) => resolve(messages.map(({ text }) => text))),
  );
  sign("T1");
  expect(await shown).toEqual(["early"]);
  client.close();
  expect((await sent).state).toBe("kept");
});
