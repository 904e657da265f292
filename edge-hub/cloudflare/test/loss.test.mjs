// What is lost comes back: connections to Redis, Redis itself, an object's memory, the Worker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, Redis, sleep, startNative, startWorker, until } from "./harness.mjs";

const LIMITS = JSON.stringify({ messages_per_second: 1000, burst: 1000 });

let redis, native;
before(async () => {
  redis = await Redis.start();
  native = await startNative(redis);
});
after(async () => {
  await native?.close();
  await redis?.close();
});

/** A room of its own for each test, and a Worker with these variables. */
async function stage(room, vars = {}) {
  const worker = await startWorker(redis, { LIMITS, ROOMS: `general,${room}`, ...vars });
  const rooms = [{ room }];
  const ada = await (await Client.connect(worker)).hello("ada", rooms);
  const bob = await (await Client.connect(worker)).hello("bob", rooms);
  return { worker, ada, bob };
}

/** Sends until each of `count` messages came back: a client that is told `unavailable` sends again. */
async function burst(client, room, count, disturb = async () => {}) {
  for (let number = client.log(room).length; number < count; number += 1) {
    client.say(`message ${number}`, `${room}-${number}`, room);
    await disturb(number);
    await sleep(5);
  }
  await until(async () => {
    const there = new Set(client.log(room).map(({ id }) => id));
    const missing = Array.from({ length: count }, (_, number) => `${room}-${number}`).filter((id) => !there.has(id));
    for (const id of missing) {
      if (client.frames.some(({ type, ref }) => type === "error" && ref === id)) {
        client.frames = client.frames.filter(({ type, ref }) => !(type === "error" && ref === id));
        client.say("again", id, room);
      }
    }
    return missing.length === 0;
  }, () => `${client.log(room).length} of ${count}, ${JSON.stringify(client.frames.slice(-3))}`);
}

const whole = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Messages that came by themselves, in the order told, with those told twice. */
function live(client, room) {
  return client.frames.filter(({ type, room: told }) => type === "message" && told === room).map(({ position }) => position.seq);
}

test("a_burst_survives_that_every_connection_to_redis_is_killed", async () => {
  const { worker, ada, bob } = await stage("killed");
  const kill = async (number) => {
    if (number % 40 === 20) {
      // All but this one: commands under way and the subscriptions.
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    }
  };
  await burst(ada, "killed", 200, kill);
  await until(() => bob.log("killed").length === 200, () => `${bob.log("killed").length}`);
  assert.deepEqual(bob.seqs("killed"), whole(200), "each once, in order, none missing");
  assert.deepEqual(live(bob, "killed"), whole(200), "and none told twice");
  assert.equal(bob.code, undefined, "the sockets stayed");
  await worker.close();
});

test("connections_are_renewed_in_the_midst_of_a_burst", async () => {
  const { worker, ada, bob } = await stage("renewed", { REDIS_CONNECTION_MS: "1000", REDIS_HEARTBEAT_MS: "500" });
  const seen = new Set();
  const look = async (number) => {
    if (number % 25 === 0) for (const { id, addr } of await redis.clients()) seen.add(`${id} ${addr}`);
    await sleep(15);
  };
  await burst(ada, "renewed", 200, look);
  await until(() => bob.log("renewed").length === 200, () => `${bob.log("renewed").length}`);
  assert.deepEqual(live(bob, "renewed"), whole(200));
  assert.ok(seen.size > 6, `new connections were made: ${seen.size}`);
  await worker.close();
});

test("at_most_six_connections_are_open_at_once", async () => {
  const before = (await redis.clients()).length;
  const { worker, ada } = await stage("few", { REDIS_CONNECTION_MS: "1000" });
  let most = 0;
  for (let look = 0; look < 60; look += 1) {
    ada.say(`look ${look}`, `few-${look}`, "few");
    most = Math.max(most, (await redis.clients()).length - before);
    await sleep(50);
  }
  assert.ok(most > 0 && most <= 6, `${most} connections`);
  await worker.close();
});

test("without_redis_sockets_stay_and_are_told_so", async () => {
  const alone = await Redis.start();
  const worker = await startWorker(alone, { LIMITS });
  const ada = await (await Client.connect(worker)).hello("ada");
  ada.say("before", "gone-1");
  await ada.message("gone-1");
  await alone.end();
  ada.say("meanwhile", "gone-2");
  const error = await ada.error("gone-2");
  assert.equal(error.code, "unavailable");
  assert.ok(error.retry_after_ms > 0);
  assert.equal((await worker.fetch("/readyz")).status, 503);
  assert.equal((await worker.fetch("/healthz")).status, 200);
  await alone.begin();
  await until(async () => {
    ada.frames = ada.frames.filter(({ ref }) => ref !== "gone-2");
    ada.say("meanwhile", "gone-2");
    const isAnswer = ({ type, ref, id }) => (type === "error" && ref === "gone-2") || (type === "message" && id === "gone-2");
    const answer = await ada.first(isAnswer);
    // As long as it asks for.
    if (answer.type === "error") await sleep(answer.retry_after_ms);
    return answer.type === "message";
  }, "the message to come through");
  assert.equal(ada.code, undefined);
  assert.deepEqual(ada.seqs(), [1, 2]);
  await worker.close();
  await alone.close();
});

// An object that holds connections is not put to sleep, so it is here without a subscription.
const ASLEEP = { REDIS_MODE: "poll", REDIS_POLL_MS: "6000" };

test("an_object_that_lost_its_memory_keeps_its_sessions_and_misses_nothing", async () => {
  const { worker, ada, bob } = await stage("slept", ASLEEP);
  ada.say("before", "slept-1", "slept");
  await bob.message("slept-1");
  await worker.evict(ada);
  const eve = await (await Client.connect(native)).hello("eve", [{ room: "slept" }]);
  eve.say("meanwhile", "slept-2", "slept");
  await eve.message("slept-2");
  // Nobody says a word here: the alarm wakes the object.
  await bob.message("slept-2");
  await worker.evict(ada);
  // No second hello: the session is the old one.
  bob.say("still here", "slept-3", "slept");
  await ada.message("slept-3");
  await eve.message("slept-3");
  assert.deepEqual(live(bob, "slept"), [1, 2, 3], "nothing told twice");
  assert.equal(bob.frames.filter(({ type }) => type === "joined").length, 1, "no new truth was needed");
  const late = await (await Client.connect(native)).hello("late", [{ room: "slept" }]);
  const joined = await late.first(({ type }) => type === "joined");
  assert.equal(joined.members_count, 4, "nobody was counted twice");
  await late.close();
  await eve.close();
  await worker.close();
});

test("evicted_between_bursts_it_goes_on", async () => {
  const { worker, ada, bob } = await stage("evicted", ASLEEP);
  for (const part of [1, 2, 3]) {
    await burst(ada, "evicted", part * 20);
    await worker.evict(ada);
  }
  await burst(ada, "evicted", 80);
  await until(() => bob.log("evicted").length === 80, () => `${bob.log("evicted").length}`);
  assert.deepEqual(live(bob, "evicted"), whole(80));
  await worker.close();
});

test("after_a_deployment_clients_resume", async () => {
  const { worker, bob } = await stage("deployed");
  bob.say("before", "deployed-1", "deployed");
  const since = (await bob.message("deployed-1")).position;
  await worker.close();
  await bob.closed;
  const eve = await (await Client.connect(native)).hello("eve", [{ room: "deployed" }]);
  eve.say("meanwhile", "deployed-2", "deployed");
  await eve.message("deployed-2");
  const next = await startWorker(redis, { LIMITS });
  const again = await (await Client.connect(next)).hello("bob", [{ room: "deployed", since }]);
  const joined = await again.first(({ type }) => type === "joined");
  assert.equal(joined.recovered, true);
  assert.deepEqual(joined.messages.map(({ id }) => id), ["deployed-2"]);
  await eve.close();
  await next.close();
});
