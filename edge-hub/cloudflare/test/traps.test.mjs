// What breaks inside: the moderation component, the core itself, a client that does not read.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";
import { Client, Redis, startWorker, until } from "./harness.mjs";

const FOLDER = fileURLToPath(new URL("..", import.meta.url));

let redis;
const folders = [];
before(async () => {
  redis = await Redis.start();
});
after(async () => {
  await redis?.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A copy of the built Worker that a test may spoil; answers its configuration and its folder. */
async function copy() {
  const folder = await mkdtemp(path.join(tmpdir(), "clustertalk-worker-"));
  folders.push(folder);
  await cp(path.join(FOLDER, "dist"), path.join(folder, "dist"), { recursive: true });
  const config = await readFile(path.join(FOLDER, "wrangler.jsonc"), "utf8");
  const assets = path.join(FOLDER, "../../clients/web/dist");
  const configPath = path.join(folder, "wrangler.jsonc");
  await writeFile(configPath, config.replace("../../clients/web/dist", assets));
  return { configPath, dist: path.join(folder, "dist") };
}

/** The Worker with a moderation component that traps at each message. */
async function withTrap() {
  const { configPath, dist } = await copy();
  const file = path.join(dist, "moderation.core.wasm");
  const module = binaryen.readBinary(await readFile(file));
  const exported = "clustertalk:moderation/moderator@1.0.0#review";
  for (let index = 0; index < module.getNumExports(); index += 1) {
    const found = binaryen.getExportInfo(module.getExportByIndex(index));
    if (found.name !== exported) continue;
    const { name, params, results } = binaryen.getFunctionInfo(module.getFunction(found.value));
    module.removeFunction(name);
    module.addFunction(name, params, results, [], module.unreachable());
    await writeFile(file, module.emitBinary());
    return configPath;
  }
  throw new Error(`no ${exported}`);
}

for (const [fail, expected] of [
  ["open", "flag"],
  ["closed", "blocked"],
  ["hold", "unavailable"],
]) {
  test(`a_trap_of_moderation_follows_the_policy_${fail}`, async () => {
    const worker = await startWorker(redis, { MODERATION_FAIL: fail }, await withTrap());
    const ada = await (await Client.connect(worker)).hello("ada");
    for (const id of [`${fail}-1`, `${fail}-2`]) {
      ada.say("anything", id);
      if (expected === "flag") {
        assert.equal((await ada.ack(id)).action, "flag");
        assert.equal((await ada.message(id)).text, "anything");
      } else {
        assert.equal((await ada.error(id)).code, expected);
      }
    }
    await worker.close();
  });
}

test("after_a_trap_of_the_core_objects_begin_anew_with_their_sessions", async () => {
  const { configPath, dist } = await copy();
  // As it is when the core has trapped: noted, and the next call begins anew.
  await writeFile(
    path.join(dist, "trapping.js"),
    `import worker, { EdgeObject as Sound } from "./worker.js";
     export default worker;
     export class EdgeObject extends Sound {
       webSocketMessage(socket, message) {
         if (message.includes("trap the core")) globalThis.__worker_init_state.criticalError = true;
         return super.webSocketMessage(socket, message);
       }
     }`,
  );
  const config = await readFile(configPath, "utf8");
  await writeFile(configPath, config.replace("dist/worker.js", "dist/trapping.js"));
  const worker = await startWorker(redis, { ROOMS: "trapped" }, configPath);
  const rooms = [{ room: "trapped" }];
  const ada = await (await Client.connect(worker)).hello("ada", rooms);
  const bob = await (await Client.connect(worker)).hello("bob", rooms);
  for (let round = 1; round <= 3; round += 1) {
    ada.say(`before ${round}`, `before-${round}`, "trapped");
    await bob.message(`before-${round}`);
    ada.say(`now trap the core ${round}`, `trap-${round}`, "trapped");
    await bob.message(`trap-${round}`);
    await ada.message(`trap-${round}`);
  }
  assert.deepEqual(bob.seqs("trapped"), [1, 2, 3, 4, 5, 6]);
  assert.equal(bob.frames.filter(({ type }) => type === "joined").length, 1);
  await worker.close();
});

test("who_does_not_read_is_closed_alone", async () => {
  const limits = { messages_per_second: 1000, burst: 10_000, text_bytes: 16_384, frame_bytes: 131_072 };
  const worker = await startWorker(redis, { LIMITS: JSON.stringify(limits), ROOMS: "slow" });
  const rooms = [{ room: "slow" }];
  // Each user is listened to at a pace of his own.
  const speakers = [];
  for (let number = 0; number < 5; number += 1) speakers.push(await (await Client.connect(worker)).hello(`s${number}`, rooms));
  const [ada] = speakers;
  const slow = await (await Client.connect(worker)).hello("slow", rooms);
  slow.pause();
  const text = randomBytes(12_000).toString("base64");
  let sent = 0;
  // What he does not read fills the buffers of the system first.
  while (!ada.frames.some(({ type, left }) => type === "presence" && left?.id === "slow")) {
    speakers.forEach((speaker) => speaker.say(text, `slow-${sent}`, "slow"));
    await Promise.all(speakers.map((speaker) => speaker.ack(`slow-${sent}`)));
    sent += 1;
    assert.ok(sent < 1000, "he is closed at some time");
  }
  console.log(`${(sent * speakers.length * text.length) / 2 ** 20} MiB on their way to who does not read`);
  slow.resume();
  assert.equal((await slow.closed).code, 4501);
  ada.say("still here", "slow-last", "slow");
  await ada.message("slow-last");
  await until(() => ada.code === undefined, "her socket to stay");
  await worker.close();
});
