import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { Edge, startRedis } from "../../../test/browser/edges.mjs";
import { launch } from "../../../test/browser/person.mjs";
import { Installed } from "./installed.mjs";

const SECRET = "a secret of the tests, and longer than 32 bytes";
const ISSUER = { issuer: "tests", audience: "chat", algorithm: "HS256" };
/** Longer than any reconnecting takes. */
const PATIENCE_MS = 60_000;

let installed;
let library;
let redis;
let edge;

before(async () => {
  installed = await Installed.here();
  library = await installed.module();
  redis = await startRedis();
  edge = await Edge.start(redis.url, {
    CLUSTERTALK_ALLOW_ANONYMOUS: "true",
    SPIN_VARIABLE_IDENTITY: JSON.stringify([ISSUER]),
    SPIN_VARIABLE_IDENTITY_SECRETS: JSON.stringify({ [ISSUER.issuer]: SECRET }),
  });
});

after(async () => {
  await edge?.stop();
  await redis?.stop();
  await installed?.remove();
});

/** A client of the installed package that is gone when the test is over. */
function connect(t, options) {
  const client = new library.ChatClient({ url: edge.url, WebSocket, ...options });
  t.after(() => client.close());
  return client;
}

/** A token of a user, for so many seconds from now. */
function tokenOf(user, seconds, rooms = ["*"]) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${part({ alg: "HS256" })}.${part({ iss: ISSUER.issuer, aud: ISSUER.audience, sub: user, exp, rooms })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** Waits until it is true of a room's snapshot. */
function until(room, condition) {
  return new Promise((resolve, reject) => {
    const check = (snapshot) => {
      if (!condition(snapshot)) return;
      clearTimeout(timer);
      end();
      resolve(snapshot);
    };
    const timer = setTimeout(() => reject(new Error(`not so of ${JSON.stringify(room.snapshot)}`)), PATIENCE_MS);
    const end = room.subscribe(check);
    check(room.snapshot);
  });
}

/** Waits until a client lists such a room, or, with `null`, none of the kind. */
async function listed(client, wanted, unwanted = () => false) {
  const isSo = () => (wanted === null || client.listed.some(wanted)) && !client.listed.some(unwanted);
  const deadline = Date.now() + PATIENCE_MS;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`not so of ${JSON.stringify(client.listed)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const texts = ({ messages }) => messages.map(({ text }) => text);
const isLive = ({ state }) => state === "live";

test("the_example_chats_with_a_client_in_node", async (t) => {
  // The example says where its edge is; that one has another port here.
  const browser = await launch(`--host-resolver-rules=MAP 127.0.0.1:3000 127.0.0.1:${edge.port}`);
  t.after(() => browser.close());
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));

  const room = connect(t, { user: "bob" }).room("general");
  await until(room, isLive);
  await page.goto(await installed.serve());
  const heard = new Promise((resolve) => room.onMessage(resolve));
  await page.getByRole("textbox").fill("hello from the page");
  await page.keyboard.press("Enter");
  const { user, text } = await heard;
  assert.deepEqual([user.id, text], ["ada", "hello from the page"]);

  assert.equal((await room.send("hello from Node")).state, "delivered");
  await page.locator("pre", { hasText: "ada: hello from the page\nbob: hello from Node" }).waitFor();
  assert.deepEqual(errors, []);
});

test("who_is_there_and_who_types_is_told", async (t) => {
  const ada = connect(t, { user: "ada" }).room("presence");
  const bob = connect(t, { user: "bob" }).room("presence");
  await until(ada, ({ membersCount }) => membersCount === 2);
  await until(bob, isLive);
  bob.typing();
  const { typing, members } = await until(ada, (room) => room.typing.length > 0);
  assert.deepEqual(typing, [{ id: "bob", name: "bob" }]);
  assert.deepEqual(members.map(({ id }) => id).sort(), ["ada", "bob"]);
  bob.leave();
  assert.equal(bob.snapshot.state, "left");
  await until(ada, ({ membersCount }) => membersCount === 1);
});

test("changes_show_and_say_what_became_of_them", async (t) => {
  const ada = connect(t, { user: "ada" }).room("changes");
  const bob = connect(t, { user: "bob" }).room("changes");
  const sent = ada.send("Helo");
  // It is shown from the first moment on, under the key that it keeps.
  const [draft] = (await until(ada, ({ messages }) => messages.length > 0)).messages;
  assert.equal(draft.text, "Helo");
  assert.equal((await sent).state, "delivered");
  const [message] = (await until(bob, ({ messages }) => messages.length > 0)).messages;
  assert.deepEqual([message.key, message.id], [draft.key, (await sent).id]);

  assert.equal((await ada.edit(message, "Hello")).state, "delivered");
  assert.equal((await bob.react(message, "+1")).state, "delivered");
  const answer = await bob.send("Hello yourself", { replyTo: message, mentions: ["ada"] });
  const { messages } = await until(ada, (room) => room.messages.length === 2);
  assert.deepEqual(texts({ messages }), ["Hello", "Hello yourself"]);
  assert.deepEqual(messages[0].reactions, [{ reaction: "+1", users: [{ id: "bob", name: "bob" }] }]);
  assert.deepEqual([messages[1].quote, messages[1].mentions], [{ name: "ada", text: "Hello" }, ["ada"]]);

  const refused = await bob.edit(message, "Goodbye");
  assert.deepEqual([refused.state, refused.code], ["failed", "forbidden"]);
  bob.discard(refused.id);
  await bob.unreact(message, "+1");
  await ada.delete(message);
  const left = await until(bob, (room) => room.messages.length === 1);
  assert.deepEqual([left.messages[0].id, left.messages[0].reactions], [answer.id, []]);
});

test("older_messages_come_when_they_are_asked_for", async (t) => {
  const talkers = ["ada", "bob", "cyd"].map((user) => connect(t, { user }).room("history"));
  // As many as the rate allows each of them at once, and more than a join brings.
  await Promise.all(talkers.flatMap((room) => Array.from({ length: 20 }, (_, turn) => room.send(`${turn}`))));
  const room = connect(t, { user: "dan" }).room("history");
  const seen = [];
  room.onMessage((message) => seen.push(message));
  assert.equal((await until(room, isLive)).messages.length, 50);
  assert.equal(await room.history(), false);
  assert.equal(room.messages.length, 60);
  const numbers = room.messages.map(({ position }) => position.seq);
  assert.deepEqual(numbers, numbers.toSorted((one, other) => one - other));
  assert.deepEqual(seen, []);
});

test("what_is_said_while_the_edge_is_down_arrives_once_and_in_order", async (t) => {
  const fragile = await Edge.start(redis.url);
  t.after(() => fragile.stop());
  const ada = connect(t, { url: fragile.url, user: "ada" });
  const [room, bob] = [ada.room("down"), connect(t, { user: "bob" }).room("down")];
  const seen = [];
  bob.onMessage(({ text }) => seen.push(text));
  await Promise.all([until(room, isLive), until(bob, isLive)]);
  await room.send("before");
  // Some of these are on their way when it dies.
  const flying = [1, 2, 3].map((turn) => room.send(`flying ${turn}`));
  await fragile.kill();
  const waiting = [1, 2, 3].map((turn) => room.send(`waiting ${turn}`));
  await fragile.restart();
  for (const { state } of await Promise.all([...flying, ...waiting])) assert.equal(state, "delivered");
  const expected = ["before", "flying 1", "flying 2", "flying 3", "waiting 1", "waiting 2", "waiting 3"];
  await until(bob, ({ messages }) => messages.length === expected.length);
  assert.deepEqual(seen, expected);
  assert.deepEqual(texts(room.snapshot), expected);
});

test("what_a_client_left_is_sent_by_the_next_one_of_its_user", async (t) => {
  const fragile = await Edge.start(redis.url);
  t.after(() => fragile.stop());
  await fragile.kill();
  const options = { url: fragile.url, storage: library.memoryStorage() };
  const first = connect(t, { ...options, user: "ada" });
  const sent = first.room("left").send("said in time");
  await until(first.room("left"), ({ messages }) => messages.length === 1);
  first.close();
  assert.equal((await sent).state, "kept");
  assert.deepEqual(first.status, { name: "stopped", code: 1000, message: "the client was closed" });
  await fragile.restart();

  const bob = connect(t, { ...options, user: "bob" }).room("left");
  await until(bob, isLive);
  assert.deepEqual(texts(bob.snapshot), []);
  connect(t, { ...options, user: "ada" });
  const { messages } = await until(bob, (room) => room.messages.length > 0);
  assert.deepEqual([messages[0].user.id, messages[0].text], ["ada", "said in time"]);
});

test("nothing_is_sent_before_it_is_stored", async (t) => {
  const order = [];
  class Recording extends WebSocket {
    send(text) {
      const { type } = JSON.parse(text);
      if (type === "send") order.push(type);
      super.send(text);
    }
  }
  const storage = {
    load: async () => [],
    save: async (_, commands) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (commands.some(({ state }) => state === "sent")) order.push("stored");
    },
  };
  const room = connect(t, { user: "ada", storage, WebSocket: Recording }).room("stored");
  await until(room, isLive);
  assert.equal((await room.send("kept first")).state, "delivered");
  assert.deepEqual(order.slice(0, 2), ["stored", "send"]);
});

test("an_expired_token_is_replaced_and_the_room_resumed", async (t) => {
  // The server waits 30 s for clocks that differ.
  const tokens = [tokenOf("eve", -28), tokenOf("eve", 3600)];
  const room = connect(t, { token: () => tokens.shift() }).room("expiry");
  const bob = connect(t, { user: "bob" }).room("expiry");
  const seen = [];
  room.onMessage(({ text }) => seen.push(text));
  await Promise.all([until(room, isLive), until(bob, isLive)]);
  await until(room, ({ state }) => state !== "live");
  await bob.send("said meanwhile");
  assert.equal((await room.send("still here")).state, "delivered");
  assert.deepEqual(seen, ["said meanwhile", "still here"]);
  assert.deepEqual(tokens, []);
});

test("a_token_is_renewed_without_a_new_connection", async (t) => {
  const asked = [];
  const token = () => {
    asked.push(Date.now());
    return tokenOf("fay", asked.length === 1 ? 10 : 3600);
  };
  const client = connect(t, { token });
  const statuses = [];
  client.onStatus(({ name }) => statuses.push(name));
  const room = client.room("renewal");
  await until(room, isLive);
  while (asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal((await room.send("with the new one")).state, "delivered");
  assert.deepEqual(client.self, { id: "fay", name: "fay" });
  // Long enough for the first token to end the connection, had it not been replaced.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.deepEqual(statuses, ["online"]);
});

test("what_belongs_to_no_message_is_told_as_a_problem", async (t) => {
  const problem = (client) => new Promise((resolve) => client.onProblem(resolve));

  const ada = connect(t, { token: () => tokenOf("ada", 3600, ["general"]) });
  const [general, board] = ["general", "board"].map((name) => ada.room(name));
  const { code, room } = await problem(ada);
  assert.deepEqual([code, room], ["forbidden", "board"]);
  await until(board, ({ state }) => state === "left");
  await until(general, isLive);

  const closed = connect(t, { token: () => Promise.reject(new Error("signed out")) });
  assert.deepEqual(await problem(closed), { code: "no_token", message: "signed out" });
});

test("a_private_room_is_made_and_entered_by_who_is_let_in", async (t) => {
  const [ada, bob] = ["ada", "bob"].map((user) => connect(t, { user }));
  const plans = await ada.createRoom("plans", { private: true, topic: "What next?" });
  assert.match(plans.name, /^private-plans-[0-9a-f]{16}$/);
  await until(plans, isLive);
  assert.deepEqual([plans.snapshot.role, plans.snapshot.settings.topic], ["owner", "What next?"]);

  const told = new Promise((resolve) => bob.onProblem(resolve));
  const outside = bob.room(plans.name);
  assert.equal((await told).code, "forbidden");
  assert.deepEqual([outside.snapshot.state, outside.snapshot.out.reason], ["left", "forbidden"]);
  await assert.rejects(outside.grant("bob"), { name: "Refusal", code: "forbidden" });

  await plans.grant("bob");
  await listed(bob, ({ room }) => room === plans.name);
  const inside = bob.room(plans.name);
  await until(inside, isLive);
  assert.equal((await inside.send("thank you")).state, "delivered");
  assert.deepEqual([inside.snapshot.role, inside.snapshot.out], ["member", null]);

  await plans.configure({ readOnly: true, topic: "" });
  const { settings, barrier } = await until(inside, (room) => room.barrier !== null);
  assert.deepEqual([settings.readOnly, settings.topic, barrier], [true, "", "read_only"]);
  const refused = await inside.send("and now?");
  assert.deepEqual([refused.state, refused.code], ["failed", "forbidden"]);

  await plans.deleteRoom();
  assert.equal((await until(inside, ({ state }) => state === "left")).out.reason, "deleted");
  await listed(bob, null, ({ room }) => room === plans.name);
});

test("who_is_muted_kicked_and_banned_learns_it_and_comes_back", async (t) => {
  const [ada, bob] = ["ada", "bob"].map((user) => connect(t, { user }));
  const room = await ada.createRoom("orderly");
  const his = bob.room("orderly");
  await Promise.all([until(room, isLive), until(his, isLive)]);

  await room.mute("bob", 3_000);
  const { mutedUntil, barrier } = await until(his, (snapshot) => snapshot.barrier !== null);
  assert.equal(barrier, "muted");
  assert.ok(mutedUntil > Date.now() && mutedUntil < Date.now() + 60_000);
  // Nobody tells that it is over.
  await until(his, (snapshot) => snapshot.barrier === null);

  await room.kick("bob");
  assert.equal((await until(his, ({ state }) => state === "left")).out.reason, "kicked");
  await until(bob.room("orderly"), isLive);
  await room.ban("bob");
  assert.equal((await until(his, ({ state }) => state === "left")).out.reason, "banned");
  bob.room("orderly");
  assert.match((await until(his, ({ out }) => out?.message != null)).out.message, /banned/);
  await room.unban("bob");
  await until(bob.room("orderly"), isLive);

  await room.configure({ slowModeMs: 60_000 });
  await until(his, ({ settings }) => settings.slowModeMs === 60_000);
  await assert.rejects(his.configure({ topic: "mine" }), { code: "forbidden" });
  await assert.rejects(bob.createRoom("orderly"), { code: "room_exists" });
});

test("two_find_the_same_direct_room", async (t) => {
  const [ada, bob] = ["ada", "bob"].map((user) => connect(t, { user }));
  // Before the connection is there, too.
  const hers = await ada.direct("bob");
  await listed(bob, (each) => each.room === hers.name && each.with === "ada");
  const his = await bob.direct("ada");
  assert.equal(his.name, hers.name);
  await Promise.all([until(hers, isLive), until(his, isLive)]);
  assert.deepEqual(his.snapshot.settings.direct, ["ada", "bob"]);
  assert.equal((await his.send("between us")).state, "delivered");
  assert.deepEqual(texts(await until(hers, ({ messages }) => messages.length > 0)), ["between us"]);
});

test("how_far_others_have_read_is_told", async (t) => {
  const [ada, bob] = ["ada", "bob"].map((user) => connect(t, { user }).room("receipts"));
  await Promise.all([until(ada, isLive), until(bob, isLive)]);
  await ada.send("one");
  await ada.send("two");
  await until(bob, ({ messages }) => messages.length === 2);
  bob.markRead();
  const { receipts } = await until(ada, (room) => room.receipts.length > 0);
  assert.deepEqual(receipts, [{ user: { id: "bob", name: "bob" }, seq: 2 }]);
  assert.equal((await until(bob, ({ readTo }) => readTo !== null)).readTo, 2);

  // On another device of his it is known when it is asked for.
  const phone = connect(t, { user: "bob" }).room("receipts");
  await until(phone, isLive);
  phone.markRead(0);
  assert.equal((await until(phone, ({ readTo }) => readTo !== null)).readTo, 2);
});

test("what_is_asked_without_a_connection_is_refused_and_not_done_later", async (t) => {
  const client = connect(t, { url: "http://127.0.0.1:9", user: "ada" });
  const asked = client.createRoom("never");
  client.close();
  await assert.rejects(asked, { name: "Refusal", code: "unanswered" });
  await assert.rejects(client.direct("bob"), { code: "offline" });
});

test("what_is_wrong_in_the_program_is_thrown", (t) => {
  const { ChatClient } = library;
  for (const options of [{ url: "chat" }, { url: "ftp://chat.example.org" }, { user: "Ada Lovelace" }]) {
    assert.throws(() => new ChatClient({ url: edge.url, user: "ada", WebSocket, ...options }), TypeError);
  }
  if (!("WebSocket" in globalThis)) assert.throws(() => new ChatClient({ url: edge.url, user: "ada" }), TypeError);
  assert.throws(() => connect(t, { user: "ada" }).room("#general"), TypeError);
});

test("what_a_closed_tab_left_is_for_the_next_tab_of_its_owner_alone", async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const context = await browser.newContext();
  const address = await installed.serve();
  const open = async () => {
    const page = await context.newPage();
    await page.goto(`${address}package.json`);
    return page;
  };
  const load = (page, owner) =>
    page.evaluate(async (owner) => {
      const { browserStorage } = await import("/node_modules/@clustertalk/client/dist/index.js");
      globalThis.storage = browserStorage();
      return (await globalThis.storage.load(owner)).map(({ id }) => id);
    }, owner);
  const save = (page, owner, ...ids) =>
    page.evaluate(([owner, ids]) => globalThis.storage.save(owner, ids.map((id) => ({ id }))), [owner, ids]);

  const first = await open();
  assert.deepEqual(await load(first, "ada"), []);
  await save(first, "ada", "m1", "m2");
  assert.deepEqual(await load(await open(), "ada"), []);
  await first.close();
  assert.deepEqual(await load(await open(), "bob"), []);
  const next = await open();
  assert.deepEqual(await load(next, "ada"), ["m1", "m2"]);
  assert.deepEqual(await load(await open(), "ada"), []);
  await next.reload();
  assert.deepEqual(await load(next, "ada"), ["m1", "m2"]);
});
