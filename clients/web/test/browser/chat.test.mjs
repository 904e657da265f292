import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge, startRedis } from "./edges.mjs";
import { Person, launch } from "./person.mjs";

let redis;
let edge;
let other;
let browser;

before(async () => {
  redis = await startRedis();
  edge = await Edge.start(redis.url);
  other = await Edge.start(redis.url);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await other?.stop();
  await redis?.stop();
});

/** Two people on edges of their own, who are gone when the test is over. */
async function two(t, room) {
  const ada = await Person.enter(browser, edge.url, "ada");
  const bob = await Person.enter(browser, other.url, "bob");
  t.after(() => Promise.all([ada.leave(), bob.leave()]));
  await ada.join(room);
  await bob.join(room);
  return [ada, bob];
}

test("two_pages_on_two_edges_chat_in_one_order", async (t) => {
  const [ada, bob] = await two(t, "chat");
  for (let turn = 0; turn < 5; turn++) {
    await Promise.all([ada.say(`ada says ${turn}`), bob.say(`bob says ${turn}`)]);
  }
  for (const who of ["ada", "bob"]) {
    for (let turn = 0; turn < 5; turn++) {
      await Promise.all([ada, bob].map((person) => person.sees(`${who} says ${turn}`)));
    }
  }
  const [one, another] = await Promise.all([ada.texts(), bob.texts()]);
  assert.equal(one.length, 10);
  assert.deepEqual(one, another);
});

test("rooms_are_isolated", async (t) => {
  const [ada, bob] = await two(t, "isolated");
  await bob.join("elsewhere");
  await ada.say("only for the isolated room");
  await bob.page.getByRole("button", { name: /^isolated,.* 1 unread$/ }).waitFor();
  await bob.say("only for the other room");
  await bob.sees("only for the other room");
  assert.deepEqual(await bob.texts(), ["only for the other room"]);
  await bob.open("isolated");
  await bob.sees("only for the isolated room");
  assert.deepEqual(await bob.texts(), ["only for the isolated room"]);
});

test("spam_is_shown_censored_to_both", async (t) => {
  const [ada, bob] = await two(t, "moderated");
  await ada.say("This is spam");
  await ada.sees("[CENSORED BY AI]");
  await bob.sees("[CENSORED BY AI]");
  assert.deepEqual(await ada.texts(), ["[CENSORED BY AI]"]);
  assert.deepEqual(await bob.texts(), ["[CENSORED BY AI]"]);
});

test("text_is_shown_as_text", async (t) => {
  const [ada, bob] = await two(t, "text");
  const text = `<img src=x onerror="document.title='broken'"> & <b>bold</b> https://example.org/?a=1&b=2`;
  await ada.say(text);
  await bob.sees("bold");
  assert.deepEqual(await bob.texts(), [text]);
  const link = bob.log.getByRole("link");
  assert.equal(await link.getAttribute("href"), "https://example.org/?a=1&b=2");
  assert.match((await link.getAttribute("rel")) ?? "", /noopener/);
});

test("a_message_is_edited_answered_reacted_to_and_deleted_on_both_pages", async (t) => {
  const [ada, bob] = await two(t, "changes");
  await ada.say("Helo, bob");
  await bob.sees("Helo, bob");

  await ada.use("Helo, bob", "Edit");
  await ada.page.getByRole("textbox", { name: "Edit message" }).fill("Hello, bob");
  await ada.page.keyboard.press("Enter");
  for (const person of [ada, bob]) await person.log.getByText("edited").waitFor();
  assert.deepEqual(await bob.texts(), ["Hello, bob"]);

  await bob.use("Hello, bob", "React");
  await bob.use("Hello, bob", "React with 👍");
  await ada.log.getByRole("button", { name: "👍 by bob" }).click();
  await bob.log.getByRole("button", { name: "👍 by bob, ada" }).waitFor();

  await bob.use("Hello, bob", "Reply");
  await bob.say("Hello yourself");
  await ada.log.getByRole("blockquote").getByText("Hello, bob").waitFor();

  await ada.use("Hello, bob", "Delete");
  await ada.use("Hello, bob", "Delete for everyone");
  for (const person of [ada, bob]) await person.log.getByText("Message deleted").waitFor();
  assert.deepEqual(await bob.texts(), ["Hello yourself"]);

  // Whoever comes later never sees it.
  const cyd = await Person.enter(browser, edge.url, "cyd");
  t.after(() => cyd.leave());
  await cyd.join("changes");
  await cyd.sees("Hello yourself");
  assert.deepEqual(await cyd.texts(), ["Hello yourself"]);
});

test("typing_and_presence_are_visible", async (t) => {
  const [ada, bob] = await two(t, "presence");
  const members = ada.page.getByRole("region", { name: "Members" });
  await members.getByText("bob").waitFor();
  // It is told once in a few seconds, and may be lost, as before bob's own page has joined.
  const seen = ada.page.getByText("bob is typing").waitFor();
  const typing = setInterval(() => void bob.composer.pressSequentially("well "), 1_000);
  await seen.finally(() => clearInterval(typing));
  await bob.page.getByRole("button", { name: "Leave presence" }).click();
  await members.getByText("bob").waitFor({ state: "detached" });
});

test("a_message_that_was_not_sent_survives_a_reload", async (t) => {
  const lonely = await Edge.start(redis.url);
  t.after(() => lonely.stop());
  const ada = await Person.enter(browser, lonely.url, "ada");
  const bob = await Person.enter(browser, other.url, "bob");
  t.after(() => Promise.all([ada.leave(), bob.leave()]));
  await ada.join("reload");
  await bob.join("reload");

  // The socket is refused while the page itself still loads.
  await ada.page.context().routeWebSocket(/\/ws$/, (socket) => socket.close({ code: 1011 }));
  await ada.page.reload();
  await ada.isOffline();
  await ada.say("written before the reload");
  await ada.log.getByText("written before the reload").waitFor();
  await ada.page.reload();
  await ada.log.getByText("written before the reload").waitFor();
  assert.deepEqual(await ada.texts(), []);

  await ada.page.context().unrouteAll();
  await ada.page.context().routeWebSocket(/\/ws$/, (socket) => socket.connectToServer());
  await ada.sees("written before the reload");
  await bob.sees("written before the reload");
  assert.deepEqual(await bob.texts(), ["written before the reload"]);
});

test("an_edge_killed_beneath_both_pages_loses_and_doubles_nothing", async (t) => {
  const fragile = await Edge.start(redis.url);
  t.after(() => fragile.stop());
  const ada = await Person.enter(browser, fragile.url, "ada");
  const bob = await Person.enter(browser, fragile.url, "bob");
  t.after(() => Promise.all([ada.leave(), bob.leave()]));
  await ada.join("crash");
  await bob.join("crash");
  await ada.say("before");
  await bob.sees("before");

  // Some of these are on their way when it dies, the others are written while it is down.
  for (let turn = 0; turn < 3; turn++) await Promise.all([ada.say(`ada flying ${turn}`), bob.say(`bob flying ${turn}`)]);
  await fragile.kill();
  await Promise.all([ada.isOffline(), bob.isOffline()]);
  await ada.say("ada while down");
  await bob.say("bob while down");
  await fragile.restart();
  await Promise.all([ada.isOnline(), bob.isOnline()]);

  const expected = ["before", "ada while down", "bob while down"];
  for (let turn = 0; turn < 3; turn++) expected.push(`ada flying ${turn}`, `bob flying ${turn}`);
  for (const text of expected) await Promise.all([ada.sees(text), bob.sees(text)]);
  const [one, another] = await Promise.all([ada.texts(), bob.texts()]);
  assert.deepEqual(one, another);
  assert.deepEqual([...one].sort(), [...expected].sort());
});
