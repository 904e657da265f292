// How many connections an object holds, and how fast it listens to them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Redis, startWorker, until } from "./harness.mjs";

let redis;
before(async () => {
  redis = await Redis.start();
});
after(async () => {
  await redis?.close();
});

test("an_address_has_only_so_many_connections_and_gets_them_again", async () => {
  const worker = await startWorker(redis, { CONNECTIONS_PER_ADDRESS: "2", CONNECTIONS: "3" });
  const from = (address) => ({ headers: { "cf-connecting-ip": address } });
  // Each says hello: the runtime takes its time to end a connection that the edge has closed.
  const connect = async (address) => (await Client.connect(worker, from(address))).hello("ada");
  const events = (address) => worker.fetch("/api/v1/rooms/general/events?user=eve", from(address));
  const first = await connect("192.0.2.1");
  const second = await connect("192.0.2.1");
  await assert.rejects(connect("192.0.2.1"), /429/);
  const refused = await events("192.0.2.1");
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "10");
  assert.equal((await refused.json()).code, "rate_limited");

  const stream = await events("192.0.2.2");
  assert.equal(stream.status, 200);
  await assert.rejects(connect("192.0.2.3"), /503/);
  await stream.body.cancel();
  // The object notices with the next wait for news.
  const again = await until(() => connect("192.0.2.3").catch(() => undefined), "the place of the stream");
  await again.close();

  await first.close();
  const third = await until(() => connect("192.0.2.1").catch(() => undefined), "the place of the first");
  await second.close();
  await third.close();
  await worker.close();
});

test("who_sends_faster_than_he_is_listened_to_waits_and_is_closed_at_last", async () => {
  const worker = await startWorker(redis);
  const ada = await (await Client.connect(worker)).hello("ada");
  const ask = (number) => ada.send({ type: "history", room: "general", ref: `h${number}`, limit: 1 });
  const answered = () => ada.frames.filter(({ type }) => type === "history").length;
  const begun = Date.now();
  for (let number = 0; number < 100; number += 1) ask(number);
  await until(() => answered() === 100, () => `${answered()} of 100`);
  // 60 at once, and 20 a second.
  assert.ok(Date.now() - begun >= 1_500, `all answered after ${Date.now() - begun} ms`);
  for (let number = 100; number < 600; number += 1) ask(number);
  assert.equal((await ada.closed).code, 4506);
  // It is hers alone.
  const bob = await (await Client.connect(worker)).hello("bob");
  bob.say("undisturbed", "pace-1");
  await bob.message("pace-1");
  await bob.close();
  await worker.close();
});
