// Edges and a Redis of their own for a test: real processes on free loopback ports.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const BINARY = join(ROOT, "target/debug/clustertalk");
/** Compiling the components for the first time takes its time on a busy machine. */
const START_MS = 120_000;

export async function startRedis() {
  const port = await freePort();
  const child = spawn("redis-server", ["--port", String(port), "--save", "", "--bind", "127.0.0.1"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await line(child, /Ready to accept connections/);
  return { url: `redis://127.0.0.1:${port}`, stop: () => ended(child, "SIGKILL") };
}

export class Edge {
  #child = null;
  #data;
  #redis;
  #variables;

  constructor(port, data, redis, variables) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}/`;
    this.#data = data;
    this.#redis = redis;
    this.#variables = variables;
  }

  /** `variables` are those of the environment that it has beside the tests' own. */
  static async start(redis, variables = {}) {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is not built: cargo xtask build`);
    const data = await mkdtemp(join(tmpdir(), "clustertalk-"));
    const edge = new Edge(await freePort(), data, redis, variables);
    await edge.restart();
    return edge;
  }

  /** Starts the process on the same port and data; resolves when it says that it serves. */
  async restart() {
    const listen = ["--listen", `127.0.0.1:${this.port}`, "--admin", "off", "--data", this.#data, "--redis", this.#redis];
    this.#child = spawn(BINARY, ["up", ...listen], {
      cwd: ROOT,
      env: { ...process.env, ...this.#variables },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await line(this.#child, /http:\/\/127\.0\.0\.1:\d+/);
  }

  /** Ends it as a crash does: without a word to anybody. */
  kill() {
    return ended(this.#child, "SIGKILL");
  }

  async stop() {
    await ended(this.#child, "SIGTERM");
    await rm(this.#data, { recursive: true, force: true });
  }
}

/** Waits for a line on the child's standard output, then keeps reading so that it never blocks. */
function line(child, pattern) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${pattern} within ${START_MS} ms`)), START_MS);
    createInterface({ input: child.stdout }).on("line", (text) => {
      if (!pattern.test(text)) return;
      clearTimeout(timer);
      resolve(text);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)));
  });
}

function ended(child, signal) {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill(signal);
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
