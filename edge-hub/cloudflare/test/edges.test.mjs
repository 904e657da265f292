// One room over several edges.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Redis, addressOf, startNative, startWorker, until } from "./harness.mjs";

let redis, worker, native;
before(async () => {
  redis = await Redis.start();
  // As many from one user as the test likes.
  const limits = JSON.stringify({ messages_per_second: 1000, burst: 1000 });
  worker = await startWorker(redis, { SHARDS: "2", LIMITS: limits });
  native = await startNative(redis);
});
after(async () => {
  await native?.close();
  await worker?.close();
  await redis?.close();
});

test("two_objects_and_a_native_edge_tell_one_order", async () => {
  const at = (object) => ({ headers: { "cf-connecting-ip": addressOf(object, 2) } });
  const clients = [
    await (await Client.connect(worker, at(0))).hello("ada"),
    await (await Client.connect(worker, at(1))).hello("bob"),
    await (await Client.connect(native)).hello("eve"),
  ];
  const edges = new Set(clients.map(({ edge }) => edge));
  assert.equal(edges.size, 3, "each has an edge of its own");
  const each = 15;
  for (let number = 0; number < each; number += 1) {
    clients.forEach((client, index) => client.say(`message ${number}`, `order-${index}-${number}`));
  }
  const all = each * clients.length;
  for (const client of clients) {
    await until(() => client.log().length >= all, () => `${client.log().length} of ${all} messages`);
  }
  const logs = clients.map((client) => client.log().map(({ position, id }) => [position.seq, position.tag, id]));
  assert.deepEqual(logs[1], logs[0]);
  assert.deepEqual(logs[2], logs[0]);
  assert.deepEqual(clients[0].seqs(), Array.from({ length: all }, (_, index) => index + 1));
  for (const client of clients) {
    assert.ok(!client.frames.some(({ type }) => type === "error"), "nothing was refused");
    await client.close();
  }
});

test("both_judge_by_the_same_component", async () => {
  const [here, there] = [await Client.connect(worker), await Client.connect(native)];
  await here.hello("ada", [{ room: "tech" }]);
  await there.hello("bob", [{ room: "tech" }]);
  here.say("This is spam", "same-1", "tech");
  there.say("This is spam", "same-2", "tech");
  const [first, second] = [await there.message("same-1"), await here.message("same-2")];
  assert.deepEqual(first.moderation, second.moderation);
  assert.equal(first.text, second.text);
  const digests = async (edge) => {
    const { components } = await (await edge.fetch("/healthz")).json();
    return [components.moderation, components.analytics];
  };
  assert.deepEqual(await digests(worker), await digests(native));
  await here.close();
  await there.close();
});
