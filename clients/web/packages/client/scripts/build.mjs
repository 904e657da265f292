// dist/: each module as it is, with its types. Then says what embedding it costs a page.
import { execFileSync } from "node:child_process";
import { copyFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");

await rm(`${root}/dist`, { recursive: true, force: true });
execFileSync(process.execPath, [compiler, "-p", `${root}/tsconfig.build.json`], { stdio: "inherit" });
await copyFile(new URL("../../../../../LICENSE", import.meta.url), `${root}/LICENSE`);

const [{ output }] = await build({
  root,
  configFile: false,
  logLevel: "error",
  build: { write: false, minify: true, lib: { entry: "dist/index.js", formats: ["iife"], name: "client" } },
});
const { code } = output[0];
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
console.log(`@clustertalk/client: ${kilobytes(code.length)} minified, ${kilobytes(gzipSync(code).length)} with gzip`);
