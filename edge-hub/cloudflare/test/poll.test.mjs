// Without a subscription: the object sleeps, and is woken by others, by a signed request, by the clock.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { Client, Redis, addressOf, startNative, startWorker, until } from "./harness.mjs";

const SECRET = "a secret of the tests";

let redis, native;
before(async () => {
  redis = await Redis.start();
  native = await startNative(redis);
});
after(async () => {
  await native?.close();
  await redis?.close();
});

const start = (everyMs) =>
  startWorker(redis, { REDIS_MODE: "poll", REDIS_POLL_MS: `${everyMs}`, WAKE_SECRET: SECRET, SHARDS: "2" });

test("what_is_appended_elsewhere_is_found_by_the_clock", async () => {
  const worker = await start(1000);
  const ada = await (await Client.connect(worker)).hello("ada");
  const eve = await (await Client.connect(native)).hello("eve");
  eve.say("from elsewhere", "poll-1");
  await ada.message("poll-1");
  ada.say("from here", "poll-2");
  await ada.message("poll-2");
  await eve.message("poll-2");
  await eve.close();
  await worker.close();
});

test("objects_wake_each_other", async () => {
  const worker = await start(20_000);
  const at = (object) => ({ headers: { "cf-connecting-ip": addressOf(object, 2) } });
  const ada = await (await Client.connect(worker, at(0))).hello("ada", [{ room: "tech" }]);
  const bob = await (await Client.connect(worker, at(1))).hello("bob", [{ room: "tech" }]);
  const begun = Date.now();
  ada.say("hello over there", "wake-1", "tech");
  await bob.message("wake-1");
  assert.ok(Date.now() - begun < 15_000, "before the clock");
  await worker.close();
});

test("what_is_not_kept_is_told_within_an_object", async () => {
  const worker = await start(20_000);
  const at = { headers: { "cf-connecting-ip": addressOf(0, 2) } };
  const ada = await (await Client.connect(worker, at)).hello("ada", [{ room: "tech" }]);
  const bob = await (await Client.connect(worker, at)).hello("bob", [{ room: "tech" }]);
  ada.send({ type: "typing", room: "tech" });
  const typing = await bob.first(({ type }) => type === "typing");
  assert.equal(typing.user.id, "ada");
  bob.send({ type: "ping", ref: "p" });
  await bob.first(({ type }) => type === "pong");
  assert.equal(ada.frames.filter(({ type }) => type === "typing").length, 0, "not to who types");
  await worker.close();
});

test("a_signed_request_wakes_and_no_other", async () => {
  const worker = await start(20_000);
  const ada = await (await Client.connect(worker)).hello("ada", [{ room: "random" }]);
  const wake = (signature) =>
    worker.fetch("/api/v1/wake", {
      method: "POST",
      body: '{"room":"random"}',
      headers: { "x-hub-signature-256": signature },
    });
  assert.equal((await wake("sha256=00")).status, 401);
  const eve = await (await Client.connect(native)).hello("eve", [{ room: "random" }]);
  eve.say("wake up", "signed-1", "random");
  await eve.message("signed-1");
  const begun = Date.now();
  const signature = createHmac("sha256", SECRET).update('{"room":"random"}').digest("hex");
  assert.equal((await wake(`sha256=${signature}`)).status, 200);
  await ada.message("signed-1");
  assert.ok(Date.now() - begun < 15_000, "before the clock");
  await eve.close();
  await worker.close();
});

test("who_has_nothing_to_do_holds_no_connection_and_its_sessions_stay", async () => {
  const before = (await redis.clients()).length;
  const worker = await start(20_000);
  const ada = await (await Client.connect(worker)).hello("ada");
  ada.say("before", "rest-1");
  await ada.message("rest-1");
  await until(async () => (await redis.clients()).length <= before, "the connections to be closed");
  await worker.evict(ada);
  ada.say("after", "rest-2");
  const message = await ada.message("rest-2");
  assert.equal(message.position.seq, (await ada.message("rest-1")).position.seq + 1);
  await worker.close();
});
