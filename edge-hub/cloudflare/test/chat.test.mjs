// The least that a user sees; the protocol itself is tried in conformance.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Redis, startWorker } from "./harness.mjs";

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

test("the_web_client_is_served", async () => {
  const page = await worker.fetch("/");
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<div id="root">/);
});
