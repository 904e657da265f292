// Rooms of their own, moderation, conversations of two, receipts.
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

/** People on edges of their own, who are gone when the test is over. */
async function people(t, ...names) {
  const all = [];
  for (const [index, name] of names.entries()) all.push(await Person.enter(browser, [edge, other][index % 2].url, name));
  t.after(() => Promise.all(all.map((person) => person.leave())));
  return all;
}

test("a_private_room_is_seen_by_who_was_let_in_alone", async (t) => {
  const [ada, bob, cyd] = await people(t, "ada", "bob", "cyd");
  await ada.create("plans", { topic: "What next?", private: true });
  await ada.page.getByText("What next?").waitFor();
  await ada.accessible();
  await ada.settings(async (dialog) => {
    await dialog.getByLabel(/^Let somebody in/).fill("bob");
    await ada.accessible();
    await dialog.getByRole("button", { name: "Let in" }).click();
    await dialog.getByText("bob is member now").waitFor();
  });
  await ada.say("welcome @bob");
  await bob.room("plans, .*you are mentioned, 1 unread").click();
  await bob.sees("welcome @bob");
  await bob.accessible();
  await bob.say("thank you");
  await ada.sees("thank you");

  // Nobody outside learns of it, by whatever way.
  await cyd.page.reload();
  await cyd.isOnline();
  assert.equal(await cyd.room("plans").count(), 0);
  await cyd.page.getByRole("textbox", { name: "Join or create a room" }).fill(await ada.roomName());
  await cyd.page.keyboard.press("Enter");
  await cyd.page.getByText(/is not open to you/).waitFor();
  assert.deepEqual(await cyd.texts(), []);
  await cyd.accessible();

  await ada.settings(async (dialog) => {
    await dialog.getByRole("button", { name: "Delete room…" }).click();
    await dialog.getByRole("button", { name: "Delete for good" }).click();
  });
  await bob.page.getByText("#plans was deleted").waitFor();
});

test("who_is_banned_is_put_out_in_another_browser_until_that_is_undone", async (t) => {
  const [ada, bob] = await people(t, "ada", "bob");
  await ada.create("orderly");
  await bob.join("orderly");
  await bob.say("something rude");
  await ada.sees("something rude");
  await ada.use("something rude", "Moderate the author");
  const dialog = ada.page.getByRole("dialog");
  await dialog.getByRole("radio", { name: /^Ban/ }).check();
  await ada.accessible();
  await dialog.getByRole("button", { name: "Ban bob" }).click();
  await bob.page.getByText("You are banned from #orderly.").waitFor();
  assert.equal(await bob.composer.count(), 0);
  await bob.accessible();
  await bob.page.getByRole("button", { name: "Try again" }).click();
  await bob.page.getByText("You are banned from #orderly.").waitFor();

  await ada.page.getByRole("button", { name: "Undo" }).click();
  await ada.page.getByRole("button", { name: "Undo" }).waitFor({ state: "detached" });
  // The undoing is on its way to the other edge.
  await assert.doesNotReject(async () => {
    const deadline = Date.now() + 30_000;
    while ((await bob.composer.count()) === 0 && Date.now() < deadline) {
      await bob.page.getByRole("button", { name: "Try again" }).click({ timeout: 500 }).catch(() => undefined);
    }
    await bob.composer.waitFor();
  });

  await ada.use("something rude", "Delete");
  await ada.use("something rude", "Delete for everyone");
  await bob.log.getByText("Message deleted by a moderator").waitFor();
});

test("what_is_reported_waits_for_the_moderator_until_he_has_decided", async (t) => {
  const [ada, bob] = await people(t, "ada", "bob");
  await ada.create("watched");
  await bob.join("watched");
  await ada.say("good morning");
  await bob.say("buy my hats");
  await bob.sees("good morning");
  await bob.use("good morning", "Report");
  const dialog = bob.page.getByRole("dialog");
  await dialog.getByLabel("What is wrong").selectOption("harassment");
  await dialog.getByLabel("A note, if you like").fill("every day");
  await bob.accessible();
  await dialog.getByRole("button", { name: "Report" }).click();
  await bob.page.getByText("The moderators are told.").waitFor();

  await ada.settings(async (settings) => {
    const waiting = settings.getByRole("group", { name: "Message of ada" });
    await waiting.getByText("reported by bob as harassment (every day)").waitFor();
    await ada.accessible();
    await waiting.getByRole("button", { name: "Nothing wrong" }).click();
    await settings.getByText("Nothing waits.").waitFor();
  });
  await ada.use("buy my hats", "Report");
  await ada.page.getByRole("dialog").getByRole("button", { name: "Report" }).click();
  await ada.settings(async (settings) => {
    const waiting = settings.getByRole("group", { name: "Message of bob" });
    await waiting.getByRole("button", { name: "Delete for everyone" }).click();
    await settings.getByText("Nothing waits.").waitFor();
  });
  await bob.log.getByText("Message deleted by a moderator").waitFor();
});

test("who_is_muted_only_reads", async (t) => {
  const [ada, bob] = await people(t, "ada", "bob");
  await ada.create("quiet");
  await bob.join("quiet");
  const members = ada.page.getByRole("region", { name: "Members" });
  await members.getByRole("button", { name: "bob" }).click();
  await members.getByRole("button", { name: "Moderate…" }).click();
  await ada.page.getByRole("dialog").getByRole("button", { name: "Mute bob" }).click();
  await bob.page.getByText(/^You are muted here until/).waitFor();
  await ada.page.getByRole("button", { name: "Undo" }).click();
  await bob.composer.waitFor();
});

test("a_conversation_of_two_opens_from_the_members", async (t) => {
  const [ada, bob] = await people(t, "ada", "bob");
  const members = bob.page.getByRole("region", { name: "Members" });
  await members.getByRole("button", { name: "ada" }).click();
  await members.getByRole("button", { name: "Message ada" }).click();
  await bob.page.getByRole("log", { name: "Messages in ada", busy: false }).waitFor();
  await bob.say("between us");
  await ada.room("bob, direct message, 1 unread").click();
  await ada.sees("between us");
  await ada.accessible();
  // The own message that others have read says so.
  await bob.page.getByText("Seen by ada").waitFor();
});

test("what_is_set_of_a_room_shows_at_once", async (t) => {
  const [ada, bob] = await people(t, "ada", "bob");
  await ada.create("board");
  await bob.join("board");
  const set = (act) =>
    ada.settings(async (dialog) => {
      await act(dialog);
      await dialog.getByRole("button", { name: "Save" }).click();
    });

  await set((dialog) => dialog.getByRole("checkbox", { name: /^Read-only/ }).check());
  await bob.page.getByText("Only moderators and owners write here.").waitFor();
  await bob.accessible();
  await ada.say("an owner may");
  await bob.sees("an owner may");

  await set(async (dialog) => {
    await dialog.getByRole("checkbox", { name: /^Read-only/ }).uncheck();
    await dialog.getByLabel("Slow mode").selectOption("3600000");
    await dialog.getByLabel("Topic").fill("one at a time");
  });
  await bob.page.getByText("one at a time").waitFor();
  await bob.say("once");
  await bob.sees("once");
  await bob.page.getByText(/^Slow mode: the next message/).waitFor({ state: "attached" });
  await bob.composer.fill("twice");
  assert.ok(await bob.page.getByRole("button", { name: "Send" }).isDisabled());

  await set((dialog) => dialog.getByRole("checkbox", { name: /^Archived/ }).check());
  for (const person of [ada, bob]) await person.page.getByText(/^This room is archived/).waitFor();
});

test("a_narrow_page_has_everything_in_reach", async (t) => {
  const [ada] = await people(t, "ada");
  await ada.create("narrow", { topic: "a topic that is longer than a telephone is wide, by a good deal" });
  // One word again and again would be spam.
  const word = "a-word-without-an-end-that-goes-on-past-every-margin-until-nobody-remembers-how-it-began";
  await ada.say(`${word}-or-what-it-was-to-say-in-the-first-place,-and-for-which-no-page-must-grow-wider`);
  await ada.sees(word);
  for (const width of [390, 360]) {
    await ada.page.setViewportSize({ width, height: 740 });
    assert.equal(await ada.page.evaluate(() => document.documentElement.scrollWidth), width);
    for (const [drawer, close] of [["Show rooms", "Close rooms"], ["Show members", "Close members"]]) {
      await ada.page.getByRole("button", { name: drawer }).click();
      await ada.page.getByRole("button", { name: close }).waitFor();
      await ada.accessible();
      await ada.page.keyboard.press("Escape");
    }
    await ada.settings(async () => {
      const box = await ada.page.getByRole("dialog").boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= width, JSON.stringify(box));
      await ada.page.keyboard.press("Escape");
    });
  }
});
