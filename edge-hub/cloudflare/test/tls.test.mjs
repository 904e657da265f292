// Redis as the internet has it: TLS, and an ACL user with the rights of docs/redis.md.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

const folder = await mkdtemp(path.join(tmpdir(), "clustertalk-tls-"));
const openssl = (...words) => execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests");
openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "redis.key", "-out", "redis.csr", "-subj", "/CN=localhost",
  "-addext", "subjectAltName=DNS:localhost");
openssl("x509", "-req", "-in", "redis.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "redis.crt",
  "-copy_extensions", "copy");
// The runtime trusts what Node.js is told to trust, and asks once, when it is loaded.
process.env.NODE_EXTRA_CA_CERTS = path.join(folder, "ca.crt");
const { Client, Redis, startWorker } = await import("./harness.mjs");

/** The user that docs/redis.md makes, with a password of ours. */
async function rights() {
  const page = await readFile(new URL("../../../docs/redis.md", import.meta.url), "utf8");
  const [command] = page.match(/ACL SETUSER clustertalk on >PASSWORD(?:.*\n)*?(?=```|\n)/);
  return command.replaceAll("\\\n", " ").trim().split(/\s+/).map((word) => (word === ">PASSWORD" ? ">p@ss word" : word));
}

let redis, worker;
before(async () => {
  redis = await Redis.start();
  await redis.command("CONFIG", "SET", "tls-cert-file", path.join(folder, "redis.crt"), "tls-key-file",
    path.join(folder, "redis.key"), "tls-ca-cert-file", path.join(folder, "ca.crt"), "tls-auth-clients", "no",
    "tls-port", `${redis.port + 1}`);
  await redis.command(...(await rights()));
});
after(async () => {
  await worker?.close();
  await redis?.close();
  await rm(folder, { recursive: true, force: true });
});

test("a_chat_over_tls_as_an_acl_user", async () => {
  const url = `rediss://clustertalk:p%40ss%20word@localhost:${redis.port + 1}`;
  worker = await startWorker({ url });
  const ada = await (await Client.connect(worker)).hello("ada");
  ada.say("over TLS", "tls-1");
  assert.equal((await ada.message("tls-1")).text, "over TLS");
  const users = (await redis.clients()).filter(({ name, user }) => user === "clustertalk" && name !== undefined);
  assert.ok(users.length >= 2, "its connections are those of the user");
  await worker.close();
});

test("a_wrong_password_is_no_edge_and_says_so", async () => {
  worker = await startWorker({ url: `rediss://clustertalk:wrong@localhost:${redis.port + 1}` });
  const ready = await worker.fetch("/readyz");
  assert.equal(ready.status, 503);
  const told = worker.logs().map(({ message }) => message).join("\n");
  assert.match(told, /WRONGPASS/);
  assert.ok(!told.includes("wrong@"), "the log does not repeat the password");
});
