// The Worker by the program that every edge is held to, with a native edge as the second of its
// deployment; once with chosen names and once with tokens.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { ROOT, Redis, startNative, startWorker } from "./harness.mjs";

/** For tests only. */
const SECRET = "made for tests only, never for a deployment";
const KEY = "ctk_made-for-tests-only-never-for-a-deployment";
const RESULTS = path.join(ROOT, "target/conformance");

let redis;
before(async () => {
  redis = await Redis.start();
  await mkdir(RESULTS, { recursive: true });
});
after(async () => {
  await redis?.close();
});

/** Runs the program; answers its report. */
async function conformance(words, environment = {}) {
  const program = path.join(ROOT, "target/debug/clustertalk-conformance");
  const child = spawn(program, [...words, "--json", "--timeout", "60"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const status = await new Promise((resolve) => child.once("close", resolve));
  return { status, ...JSON.parse(text) };
}

/** What failed, with all there is to know. */
function failures({ cases }) {
  return cases
    .filter(({ verdict }) => verdict === "FAIL")
    .map(({ case: name, sentence, why, transcript }) => `${name}: ${sentence}\n  ${why}\n${transcript.slice(-4000)}`)
    .join("\n");
}

/** One table of two edges' latencies. */
function table(worker, native) {
  const times = ({ p50_ms: p50, p90_ms: p90, p99_ms: p99 }) => [p50, p90, p99].map((ms) => ms.toFixed(1).padStart(8)).join("");
  const rows = worker.latency.map((row) => {
    const beside = native.latency.find(({ what }) => what === row.what);
    return `${row.what.padEnd(36)}${times(row)}   ${beside ? times(beside) : ""}`;
  });
  const head = `${"in ms".padEnd(36)}     p50     p90     p99        p50     p90     p99`;
  return [`${"".padEnd(36)}  Worker in workerd          native`, head, ...rows].join("\n");
}

async function hold(name, worker, second, only, environment) {
  const junit = path.join(RESULTS, `cloudflare-${name}.xml`);
  const words = [worker.url.href, "--second", second.url.href, "--platform", "cloudflare", "--junit", junit, ...only];
  const report = await conformance(words, environment);
  console.log(`${name}: ${JSON.stringify(report.counts)} in ${report.seconds} s`);
  for (const { case: skipped, verdict, why } of report.cases) {
    if (verdict === "skip") console.log(`skipped ${skipped}: ${why}`);
  }
  assert.equal(report.status, 0, failures(report));
  return report;
}

test("the_worker_holds_the_protocol", async () => {
  const sha256 = createHash("sha256").update(KEY).digest("hex");
  const variables = {
    identity: JSON.stringify([{ issuer: "conformance", audience: "clustertalk", algorithm: "HS256" }]),
    identity_secrets: JSON.stringify({ conformance: SECRET }),
    publish_keys: JSON.stringify([{ name: "tests", sha256 }]),
    anonymous: "false",
  };
  const named = (name) => Object.fromEntries(Object.entries(variables).map(([key, value]) => [name(key), value]));
  let worker = await startWorker(redis, {
    ...named((key) => key.toUpperCase()),
    LIMITS: JSON.stringify({ ping_ms: 5000 }),
    SHARDS: "2",
  });
  let native = await startNative(
    redis,
    ["--limit-ping", "5s"],
    named((key) => `SPIN_VARIABLE_${key.toUpperCase()}`),
  );
  const tokens = { CLUSTERTALK_TOKEN_SECRET: SECRET, CLUSTERTALK_SERVER_KEY: KEY };
  const report = await hold("tokens", worker, native, [], tokens);
  const words = [native.url.href, "--second", worker.url.href, "--only", "handshake/subprotocol", "--latency", "50"];
  const beside = await conformance(words, tokens);
  assert.equal(beside.status, 0, failures(beside));
  console.log(table(report, beside));
  await native.close();
  await worker.close();

  // What is only where names are chosen freely.
  const rest = report.cases.filter(({ verdict }) => verdict === "-").map(({ case: name }) => name);
  assert.ok(rest.length > 0 && rest.length < 10, `with tokens nearly all is run, but not ${rest}`);
  worker = await startWorker(redis);
  native = await startNative(redis);
  const names = await hold("names", worker, native, rest.flatMap((name) => ["--only", name]));
  assert.equal(names.counts.not_run, 0, "between them every case has run");
  await native.close();
  await worker.close();
});
