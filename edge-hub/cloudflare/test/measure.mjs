// Latency and CPU time a message, of the Worker in workerd beside the native edge, on one Redis.
// Not a test: `node test/measure.mjs [MESSAGES] [FOLLOWERS]`, with Node.js 22.12 or newer.
import { readFile, readdir } from "node:fs/promises";
import { Client, Redis, sleep, startNative, startWorker, until } from "./harness.mjs";

const MESSAGES = Number(process.argv[2] ?? 500);
const FOLLOWERS = Number(process.argv[3] ?? 1);
const TICKS_PER_SECOND = 100;

/** CPU time in milliseconds of all processes below this one with such a name. */
async function cpu(name) {
  let ticks = 0;
  for (const id of await readdir("/proc")) {
    if (!/^\d+$/.test(id)) continue;
    try {
      const stat = await readFile(`/proc/${id}/stat`, "utf8");
      const program = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const ours = Number(fields[1]) === process.pid;
      if (ours && program === name) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has just ended.
    }
  }
  return (ticks * 1000) / TICKS_PER_SECOND;
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1);

async function measure(what, edge, program) {
  const rooms = [{ room: "tech" }];
  const ada = await (await Client.connect(edge)).hello("ada", rooms);
  const followers = [];
  for (let number = 0; number < FOLLOWERS; number += 1) {
    followers.push(await (await Client.connect(edge)).hello(`f${number}`, rooms));
  }
  const times = [];
  const idle = await cpu(program);
  await sleep(3000);
  const rest = (await cpu(program)) - idle;
  const before = await cpu(program);
  const begun = performance.now();
  for (let number = 0; number < MESSAGES; number += 1) {
    const sent = performance.now();
    const come = followers[0].next((frame) => frame.id === `${what}-${number}`);
    ada.say(`message ${number}`, `${what}-${number}`, "tech");
    await come;
    times.push(performance.now() - sent);
    // The native edge takes twenty frames a second of one user.
    await sleep(60);
  }
  const seconds = (performance.now() - begun) / 1000;
  await until(() => followers.at(-1).frames.some(({ id }) => id === `${what}-${MESSAGES - 1}`), "the last");
  const used = (await cpu(program)) - before - (rest / 3) * seconds;
  times.sort((one, other) => one - other);
  console.log(
    `${what}: ${MESSAGES} messages to ${FOLLOWERS + 1} connections, p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms, ` +
      `${(used / MESSAGES).toFixed(2)} ms CPU a message; ${(rest / 30).toFixed(1)} % of a core at rest`,
  );
  for (const client of [ada, ...followers]) await client.close();
}

const redis = await Redis.start();
const limits = { messages_per_second: 1000, burst: 10_000 };
const worker = await startWorker(redis, { LIMITS: JSON.stringify(limits) });
await measure("worker", worker, "workerd");
await worker.close();
const native = await startNative(redis, ["--limit-messages-per-second", "1000", "--limit-burst", "10000"]);
await measure("native", native, "clustertalk");
await native.close();
await redis.close();
process.exit(0);
