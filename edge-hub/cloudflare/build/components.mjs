// Components as modules with JavaScript around them, and the digests by which the native host knows
// them, for `cargo xtask cloudflare`: `node components.mjs FOLDER COMPONENT...` writes digests.js, and
// NAME.js and NAME.core.wasm of each NAME.wasm.
//
// Workers compile no bytes at run time, so the core module is a file of its own, and the mode of
// instantiation leaves it to us to bring it.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { writeFiles } from "@bytecodealliance/jco-transpile";
import { $init, generate } from "@bytecodealliance/jco-transpile/component";

const [baseDir, ...components] = process.argv.slice(2);
const digests = {};
await $init;
for (const component of components) {
  const name = path.basename(component, ".wasm");
  const bytes = await readFile(component);
  const { files } = generate(bytes, {
    name,
    instantiation: { tag: "sync" },
    noNodejsCompat: true,
    noTypescript: true,
    noComponentErrorWrapping: true,
    validLiftingOptimization: true,
    base64Cutoff: 0,
  });
  await writeFiles(Object.fromEntries(files), { baseDir });
  digests[name] = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
await writeFile(path.join(baseDir, "digests.js"), `export const DIGESTS = ${JSON.stringify(digests)};\n`);
