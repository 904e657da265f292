// Where names may not be chosen, a token says who speaks.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { Edge, startRedis } from "./edges.mjs";
import { Person, launch } from "./person.mjs";

const SECRET = "a secret of the tests, and longer than 32 bytes";
const ISSUER = { issuer: "tests", audience: "chat", algorithm: "HS256" };

let redis;
let edge;
let browser;

before(async () => {
  redis = await startRedis();
  edge = await Edge.start(redis.url, {
    CLUSTERTALK_ALLOW_ANONYMOUS: "false",
    SPIN_VARIABLE_IDENTITY: JSON.stringify([ISSUER]),
    SPIN_VARIABLE_IDENTITY_SECRETS: JSON.stringify({ [ISSUER.issuer]: SECRET }),
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await redis?.stop();
});

/** A token of a user, for so many seconds from now. */
function tokenOf(user, seconds, secret = SECRET) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${part({ alg: "HS256" })}.${part({ iss: ISSUER.issuer, aud: ISSUER.audience, sub: user, name: `Dr. ${user}`, exp })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

async function visitor(t, address = edge.url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  t.after(() => context.close());
  const person = new Person(await context.newPage(), "ada");
  await person.page.goto(address);
  return person;
}

async function signIn({ page }, token) {
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
}

test("a_pasted_token_signs_in_and_one_that_does_not_count_is_explained", async (t) => {
  const ada = await visitor(t);
  await ada.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await ada.accessible();
  await signIn(ada, "not a token");
  await ada.page.getByText("That is no token").waitFor();
  await signIn(ada, tokenOf("ada", 600, "another secret that is long enough, 32 bytes"));
  await ada.page.getByText("The server said:").waitFor();
  await ada.accessible();
  await signIn(ada, tokenOf("ada", 600));
  await ada.isOnline();
  await ada.say("signed");
  await ada.sees("signed");
  await ada.page.getByRole("navigation").getByText("Dr. ada").waitFor();

  // It is kept for the tab, and forgotten when it is asked to be.
  await ada.page.reload();
  await ada.isOnline();
  await ada.page.getByRole("button", { name: "Sign out" }).click();
  await ada.page.getByRole("heading", { name: "Sign in" }).waitFor();
});

for (const sign of ["#", "?"]) {
  test(`a_token_in_the_address_behind_a_${sign === "#" ? "hash" : "question_mark"}_does_not_stay_there`, async (t) => {
    const token = tokenOf("ada", 600);
    const ada = await visitor(t, `${edge.url}${sign}token=${token}`);
    await ada.isOnline();
    assert.equal(ada.page.url(), edge.url);
    const stored = await ada.page.evaluate(() => JSON.stringify([Object.entries(localStorage), history.length]));
    assert.ok(!stored.includes(token));
  });
}

test("a_sign_in_that_ends_is_announced_and_goes_on_with_another_token", async (t) => {
  const ada = await visitor(t);
  // The server waits 30 s for clocks that differ, and the page asks a minute before the end.
  await signIn(ada, tokenOf("ada", 35));
  await ada.isOnline();
  await ada.page.getByText(/^Your sign-in ends at/).waitFor();
  await ada.accessible();
  await ada.page.getByRole("button", { name: "Sign in again" }).click();
  await signIn(ada, tokenOf("ada", 600));
  await ada.page.getByText(/^Your sign-in ends at/).waitFor({ state: "detached" });
  await ada.say("still here");
  await ada.sees("still here");
});

test("a_sign_in_that_has_ended_asks_for_another_and_loses_nothing", async (t) => {
  const ada = await visitor(t);
  await signIn(ada, tokenOf("ada", -27));
  await ada.page.getByRole("heading", { name: "Your sign-in has ended" }).waitFor();
  await ada.accessible();
  await signIn(ada, tokenOf("ada", 600));
  await ada.isOnline();
  await ada.say("back again");
  await ada.sees("back again");
});
