// What the tests share: a Redis of their own, the Worker in the platform's own runtime, a native edge,
// and clients that speak the protocol.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import WebSocket from "ws";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CONFIG = new URL("../wrangler.jsonc", import.meta.url);
/** Waiting for anything longer is a failure. */
const PATIENCE = 60_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks until `found` is truthy, and returns it. */
export async function until(found, what) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const value = await found();
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited in vain: ${typeof what === "function" ? what() : what}`);
    await sleep(20);
  }
}

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis with its data in a folder of its own. */
export class Redis {
  static async start(...options) {
    const redis = new Redis();
    redis.folder = await mkdtemp(path.join(tmpdir(), "clustertalk-redis-"));
    redis.options = options;
    // If it ends at once, its port was taken meanwhile.
    do redis.port = await freePort();
    while (!(await redis.begin()));
    return redis;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async begin() {
    const options = ["--port", this.port, "--bind", "127.0.0.1", "--dir", this.folder];
    options.push("--appendonly", "yes", "--save", "", ...this.options);
    const server = spawn("redis-server", options.map(String), { stdio: "ignore" });
    this.process = server;
    await until(() => server.exitCode !== null || this.command("PING").catch(() => false), "Redis");
    return server.exitCode === null;
  }

  async end() {
    if (this.process === undefined) return;
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
    this.process = undefined;
  }

  async close() {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** One command on a connection of its own, its reply as redis-cli shows it. */
  async command(...words) {
    const child = spawn("redis-cli", ["-p", `${this.port}`, ...words.map(String)]);
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0 || text.startsWith("Could not")) throw new Error(text);
    return text.trimEnd();
  }

  /** The connections of others, as CLIENT LIST tells of them. */
  async clients() {
    const lines = (await this.command("CLIENT", "LIST")).split("\n");
    return lines
      .map((line) => Object.fromEntries(line.split(" ").map((field) => field.split(/=(.*)/s))))
      .filter((client) => !client.cmd.startsWith("client"));
  }
}

/** The runtime takes ports that were free a moment ago, and does not start if one no longer is. */
async function listen(workers, attempts = 5) {
  const server = createTestHarness({ workers });
  try {
    const { url } = await server.listen();
    return { server, url };
  } catch (error) {
    if (error.code !== "ERR_RUNTIME_FAILURE" || attempts === 1) throw error;
    console.log(`not started: ${error.message}`);
    await server.close().catch(() => {});
    return listen(workers, attempts - 1);
  }
}

/** The Worker, with these variables. */
export async function startWorker(redis, vars = {}, configPath = CONFIG) {
  const workers = [{ configPath, vars: { REDIS_URL: redis.url, ANONYMOUS: "true", ...vars } }];
  const { server, url } = await listen(workers);
  return {
    url,
    socketUrl: `ws://${url.host}/ws`,
    fetch: (path, options) => fetch(new URL(path, url), options),
    logs: () => server.getLogs(),
    /** Has the object that holds this client's socket lose its memory. */
    evict: ({ edge }) => server.getWorker().evictDurableObject("EDGES", { name: edge.split(".")[1], webSockets: "hibernate" }),
    close: () => server.close(),
  };
}

/** The host of this project, on the same Redis. */
export async function startNative(redis, options = [], environment = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "clustertalk-native-"));
  const child = spawn(
    path.join(ROOT, "target/debug/clustertalk"),
    ["up", "--listen", "127.0.0.1:0", "--admin", "off", "--data", folder, "--redis", redis.url, ...options],
    { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...environment } },
  );
  let told = "";
  child.stdout.on("data", (chunk) => (told += chunk));
  const url = new URL((await until(() => /is up: (\S+)/.exec(told), "the native edge"))[1]);
  await until(() => fetch(new URL("/readyz", url)).then((answer) => answer.ok, () => false), "the native edge");
  return {
    url,
    socketUrl: `ws://${url.host}/ws`,
    fetch: (path, options) => fetch(new URL(path, url), options),
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client that only notes what it is told; it keeps to the protocol as a test wants. */
export class Client {
  frames = [];
  #socket;
  #awaited = [];

  static async connect(edge, options = {}) {
    const client = new Client();
    await client.open(edge, options);
    return client;
  }

  async open(edge, { protocols = ["clustertalk.v1"], headers = {} } = {}) {
    this.#socket = new WebSocket(edge.socketUrl, protocols, { headers, perMessageDeflate: false });
    this.#socket.on("message", (data) => {
      const frame = JSON.parse(data.toString());
      this.frames.push(frame);
      this.#awaited = this.#awaited.filter(({ fits, resolve }) => !(fits(frame) && resolve(frame) === undefined));
    });
    this.closed = new Promise((resolve) => {
      this.#socket.once("close", (code, reason) => {
        this.code = code;
        resolve({ code, reason: reason.toString() });
      });
    });
    await new Promise((resolve, reject) => {
      this.#socket.once("open", resolve);
      this.#socket.once("error", reject);
    });
    this.#socket.on("error", () => {});
  }

  send(frame) {
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  sendBytes(bytes) {
    this.#socket.send(bytes);
  }

  /** Says hello and waits until it is in its rooms. */
  async hello(user, rooms = [{ room: "general" }]) {
    this.send({ type: "hello", user, token: null, rooms });
    for (const { room } of rooms) {
      await this.first((frame) => frame.type === "joined" && frame.room === room);
    }
    return this;
  }

  say(text, id, room = "general") {
    this.send({ type: "send", room, id, text });
  }

  /** The first frame that fits, of those told already and those to come. */
  first(fits) {
    const kinds = () => `${fits}, among ${JSON.stringify(this.frames.slice(-5))}, closed ${this.code}`;
    return until(() => this.frames.find(fits), kinds);
  }

  /** The edge that it is connected to; an object's has the object's name in it. */
  get edge() {
    return this.frames.find(({ type }) => type === "welcome").edge;
  }

  /** The next frame that fits, at once when it comes. */
  next(fits) {
    return new Promise((resolve) => this.#awaited.push({ fits, resolve }));
  }

  error(ref) {
    return this.first((frame) => frame.type === "error" && frame.ref === ref);
  }

  ack(id) {
    return this.first((frame) => frame.type === "ack" && frame.id === id);
  }

  message(id) {
    return this.first((frame) => frame.type === "message" && frame.id === id);
  }

  /** What a reader has of a room: each place once, in the order told. */
  log(room = "general") {
    const told = this.frames.flatMap((frame) => {
      if (frame.room !== room) return [];
      if (frame.type === "message" || frame.type === "changed") return [frame];
      return frame.type === "joined" || frame.type === "page" ? frame.messages : [];
    });
    const seen = new Set();
    return told.filter(({ position: { seq, tag } }) => {
      const place = `${seq}-${tag}`;
      return !seen.has(place) && seen.add(place);
    });
  }

  seqs(room) {
    return this.log(room).map(({ position }) => position.seq);
  }

  async close() {
    this.#socket.close(1000);
    await this.closed;
  }

  /** Reads no more, and reads on. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  /** As when the network goes away. */
  terminate() {
    this.#socket.terminate();
  }
}

/** A client's address for which the Worker chooses the object of this number, among so many. */
export function addressOf(object, objects) {
  for (let last = 1; last < 255; last += 1) {
    const address = `192.0.2.${last}`;
    let hash = 0xcbf29ce484222325n;
    for (const byte of address.split(".").map(Number)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
    if (Number(hash % BigInt(objects)) === object) return address;
  }
  throw new Error("no such address");
}
