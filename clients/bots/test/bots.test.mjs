// The bots as docs/developers.md shows them, each against an edge and a Redis of its own.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Installed } from "../../web/packages/client/test/installed.mjs";
import { chatToken } from "../typescript/token.mjs";
import { Edge, startRedis } from "../../web/test/browser/edges.mjs";

const BOTS = fileURLToPath(new URL("..", import.meta.url));
const ROOT = join(BOTS, "../..");
const KEY = `ctk_${"0123456789abcdef".repeat(4)}`;
const SECRET = "a secret of the tests, and longer than 32 bytes";
const ISSUER = { issuer: "shop", audience: "chat", algorithm: "HS256" };
/** Longer than any start or reconnecting takes on a busy machine. */
const PATIENCE_MS = 60_000;
const run = promisify(execFile);

let redis;
let edge;

before(async () => {
  redis = await startRedis();
  edge = await Edge.start(redis.url, {
    CLUSTERTALK_ALLOW_ANONYMOUS: "false",
    SPIN_VARIABLE_IDENTITY: JSON.stringify([ISSUER]),
    SPIN_VARIABLE_IDENTITY_SECRETS: JSON.stringify({ [ISSUER.issuer]: SECRET }),
    SPIN_VARIABLE_PUBLISH_KEYS: JSON.stringify([
      { name: "tests", sha256: createHash("sha256").update(KEY).digest("hex"), rooms: ["*"] },
    ]),
  });
});

after(async () => {
  await edge?.stop();
  await redis?.stop();
});

/** A program of the bot that runs in a folder of its own, and can be started again there. */
class Bot {
  #command;
  #folder;
  #room;
  #child = null;

  constructor(command, folder, room) {
    this.#command = command;
    this.#folder = folder;
    this.#room = room;
  }

  start() {
    const [program, ...rest] = this.#command;
    const env = { ...process.env, EDGE: edge.url.replace(/\/$/, ""), ROOM: this.#room, KEY, TOKEN: chatToken({ id: "bot", name: "Bot" }, SECRET) };
    this.#child = spawn(program, rest, { cwd: this.#folder, env, stdio: ["ignore", "inherit", "inherit"] });
  }

  async stop() {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}

async function ask(room, body) {
  const response = await fetch(`${edge.url}api/v1/rooms/${room}/messages`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${response.status}`);
  return response.json();
}

let said = 0;
const say = (room, text) => ask(room, { user: "ada", id: `said-${said++}`, text });

/** Waits until these are the bot's answers, and finds no others. */
async function answers(room, expected) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { messages } = await ask(room);
    const texts = messages.filter(({ type, user }) => type === "message" && user.id === "bot").map(({ text }) => text);
    if (texts.length >= expected.length || Date.now() > deadline) {
      assert.equal(texts.length, expected.length, `${texts}`);
      return texts.forEach((text, index) => assert.match(text, expected[index]));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Says `!ping` until it is answered: before that, it is not known whether the bot is there. */
async function isThere(room) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    await say(room, "!ping");
    for (let turn = 0; turn < 20; turn++) {
      const { messages } = await ask(room);
      if (messages.some(({ user }) => user?.id === "bot")) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("the bot does not answer");
}

async function obeys(t, bot, room) {
  t.after(() => bot.stop());
  await say(room, "!ping before it comes is not answered");
  bot.start();
  await isThere(room);
  const { messages } = await ask(room);
  const heard = messages.filter(({ user }) => user?.id === "bot").map(() => /^pong$/);
  await say(room, "hello");
  await say(room, "!roll");
  await answers(room, [...heard, /^you rolled [1-6]$/]);

  // What is said while it is away is answered when it comes back, and nothing twice.
  await bot.stop();
  await say(room, "!roll");
  await say(room, "hello again");
  await say(room, "!ping");
  bot.start();
  await answers(room, [...heard, /^you rolled/, /^you rolled/, /^pong$/]);
  await say(room, "!ping");
  await answers(room, [...heard, /^you rolled/, /^you rolled/, /^pong$/, /^pong$/]);
}

async function folder(t) {
  const made = await mkdtemp(join(tmpdir(), "clustertalk-bot-"));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

test("the_bot_in_python_answers_and_resumes", async (t) => {
  await obeys(t, new Bot(["python3", join(BOTS, "python/bot.py")], await folder(t), "python"), "python");
});

test("the_bot_in_rust_answers_and_resumes", async (t) => {
  await run("cargo", ["build", "--quiet", "--locked", "--package", "clustertalk-bot"], { cwd: ROOT });
  const program = join(ROOT, "target/debug/clustertalk-bot");
  await obeys(t, new Bot([program], await folder(t), "rust"), "rust");
});

test("the_bot_in_typescript_answers_and_resumes", async (t) => {
  const installed = await Installed.here();
  t.after(() => installed.remove());
  await cp(join(BOTS, "typescript/bot.ts"), join(installed.folder, "bot.ts"));
  // Beside the package, as its users have them.
  for (const name of ["ws", "@types/ws", "@types/node", "undici-types"]) {
    await cp(join(ROOT, "clients/web/node_modules", name), join(installed.folder, "node_modules", name), { recursive: true });
  }
  const options = "--strict --skipLibCheck --module nodenext --target es2022 --types node".split(" ");
  const tsc = join(ROOT, "clients/web/node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "bot.ts", ...options], { cwd: installed.folder }).catch((error) => {
    throw new Error(error.stdout);
  });
  await obeys(t, new Bot([process.execPath, "bot.js"], installed.folder, "typescript"), "typescript");
});

test("the_documentation_shows_the_programs_that_are_run", async () => {
  const guide = await readFile(join(ROOT, "docs/developers.md"), "utf8");
  const shown = [
    ["python", "python/bot.py"],
    ["ts", "typescript/bot.ts"],
    ["rust", "rust/src/main.rs"],
    ["js", "typescript/token.mjs"],
    ["js", "../web/packages/client/example/chat.js"],
  ];
  for (const [language, file] of shown) {
    assert.ok(guide.includes(`\`\`\`${language}\n${await readFile(join(BOTS, file), "utf8")}\`\`\`\n`), file);
  }
});
