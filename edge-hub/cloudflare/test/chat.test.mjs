import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Redis, startWorker, until } from "./harness.mjs";

let redis, worker;
before(async () => {
  redis = await Redis.start();
  worker = await startWorker(redis);
});
after(async () => {
  await worker?.close();
  await redis?.close();
});

test("two_clients_chat", async () => {
  const ada = await (await Client.connect(worker)).hello("ada");
  const bob = await (await Client.connect(worker)).hello("bob");
  ada.say("hello", "chat-1");
  const ack = await ada.ack("chat-1");
  const message = await bob.message("chat-1");
  assert.equal(message.text, "hello");
  assert.deepEqual(message.position, ack.position);
  assert.deepEqual((await ada.message("chat-1")).position, ack.position);
  await ada.close();
  await bob.first((frame) => frame.type === "presence" && frame.left?.id === "ada");
  await bob.close();
});

test("spam_is_masked_by_the_component_that_healthz_names", async () => {
  const ada = await (await Client.connect(worker)).hello("ada");
  ada.say("This is spam", "spam-1");
  const message = await ada.message("spam-1");
  assert.equal(message.text, "[CENSORED BY AI]");
  const health = await (await worker.fetch("/healthz")).json();
  assert.equal(message.moderation.policy, health.components.moderation);
  await ada.close();
});

test("a_ping_is_answered_with_positions", async () => {
  const ada = await (await Client.connect(worker)).hello("ada");
  ada.say("one more", "ping-1");
  const { position } = await ada.message("ping-1");
  ada.send({ type: "ping", ref: "p" });
  const pong = await ada.first((frame) => frame.type === "pong");
  assert.deepEqual(pong.rooms, [{ room: "general", position }]);
  await ada.close();
});

test("who_comes_back_gets_what_he_missed", async () => {
  const ada = await (await Client.connect(worker)).hello("ada");
  const bob = await (await Client.connect(worker)).hello("bob");
  ada.say("before", "resume-1");
  const since = (await bob.message("resume-1")).position;
  bob.terminate();
  ada.say("meanwhile", "resume-2");
  await ada.message("resume-2");
  const again = await Client.connect(worker);
  await again.hello("bob", [{ room: "general", since }]);
  const joined = await again.first((frame) => frame.type === "joined");
  assert.equal(joined.recovered, true);
  assert.deepEqual(joined.messages.map(({ id }) => id), ["resume-2"]);
  await ada.close();
  await again.close();
});

test("each_refusal_has_its_code", async () => {
  const without = await worker.fetch("/ws", { headers: { upgrade: "websocket" } }).catch((error) => error);
  if (without instanceof Response) assert.equal(without.status, 400);
  await assert.rejects(Client.connect(worker, { protocols: [] }), /400/);
  await assert.rejects(Client.connect(worker, { headers: { origin: "https://evil.example" } }), /403/);

  const silent = await Client.connect(worker);
  assert.equal((await silent.closed).code, 4001);

  const binary = await (await Client.connect(worker)).hello("ada");
  binary.sendBytes(Buffer.from([1, 2, 3]));
  assert.equal((await binary.closed).code, 1003);

  const large = await (await Client.connect(worker)).hello("ada");
  large.send(JSON.stringify({ type: "send", room: "general", id: "x", text: "x".repeat(20_000) }));
  assert.equal((await large.closed).code, 1009);

  const odd = await (await Client.connect(worker)).hello("ada");
  odd.say("x".repeat(5000), "long");
  assert.equal((await odd.error("long")).code, "too_large");
  odd.send({ type: "send", room: "tech", id: "elsewhere", text: "x" });
  assert.equal((await odd.error("elsewhere")).code, "not_joined");
  await odd.close();
});

test("a_room_is_read_and_written_over_http", async () => {
  const config = await (await worker.fetch("/api/v1/config")).json();
  assert.equal(config.websocket_url, worker.socketUrl);
  const post = (body) =>
    worker.fetch("/api/v1/rooms/tech/messages", { method: "POST", body: JSON.stringify(body) });
  const posted = await post({ user: "bot", id: "http-1", text: "from a server" });
  assert.equal(posted.status, 201);
  const { position } = await posted.json();
  const read = await (await worker.fetch("/api/v1/rooms/tech/messages")).json();
  assert.deepEqual(read.messages.at(-1).position, position);
  assert.equal((await post({ id: "http-2", text: "by nobody" })).status, 400);
  assert.equal((await worker.fetch("/api/v1/rooms/T/messages")).status, 400);
  assert.equal((await worker.fetch("/api/v1/nothing")).status, 404);
  const rooms = await (await worker.fetch("/api/v1/rooms")).json();
  assert.ok(rooms.rooms.some(({ room }) => room === "tech"));
});

test("a_room_is_followed_by_events", async () => {
  const answer = await worker.fetch("/api/v1/rooms/random/events?user=eve");
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const told = (part) =>
    until(async () => text.includes(part) || ((text += (await reader.read()).value), text.includes(part)), part);
  await told("event: joined");
  const ada = await (await Client.connect(worker)).hello("ada", [{ room: "random" }]);
  ada.say("to whoever listens", "event-1", "random");
  await told('"id":"event-1"');
  await reader.cancel();
  await ada.close();
});

test("the_web_client_is_served", async () => {
  const page = await worker.fetch("/");
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<div id="root">/);
});
