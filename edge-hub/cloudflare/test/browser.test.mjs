// The web client as the Worker serves it, with the people of the web client's own tests.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, launch } from "../../../clients/web/test/browser/person.mjs";
import { Redis, startNative, startWorker } from "./harness.mjs";

let redis, worker, native, browser;
before(async () => {
  redis = await Redis.start();
  worker = await startWorker(redis);
  native = await startNative(redis);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await native?.close();
  await worker?.close();
  await redis?.close();
});

test("a_page_of_the_worker_and_one_of_a_native_edge_chat_in_one_order", async () => {
  const ada = await Person.enter(browser, worker.url.href, "ada");
  const bob = await Person.enter(browser, native.url.href, "bob");
  for (let turn = 0; turn < 4; turn += 1) {
    await Promise.all([ada.say(`ada says ${turn}`), bob.say(`bob says ${turn}`)]);
  }
  await ada.say("This is spam");
  await bob.sees("[CENSORED BY AI]");
  for (const who of ["ada", "bob"]) {
    for (let turn = 0; turn < 4; turn += 1) {
      await Promise.all([ada, bob].map((person) => person.sees(`${who} says ${turn}`)));
    }
  }
  await ada.sees("[CENSORED BY AI]");
  const [one, another] = await Promise.all([ada.texts(), bob.texts()]);
  assert.equal(one.length, 9);
  assert.deepEqual(one, another);
  await ada.leave();
  await bob.leave();
});
