// Writes src/protocol/generated/ from the protocol's own tables: codes.ts from codes.json, and
// frames.ts from schema.json. `--check` writes nothing and fails when a file is stale.
import { readFile, writeFile, mkdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const protocol = new URL("../../../../../edge-hub/protocol/", import.meta.url);
const generated = new URL("../src/protocol/generated/", import.meta.url);
const check = process.argv.includes("--check");

const files = { "codes.ts": codes(await json("codes.json")) };
if (existsSync(new URL("schema.json", protocol))) {
  files["frames.ts"] = await frames(await json("schema.json"));
}

await mkdir(generated, { recursive: true });
const stale = [];
for (const [name, text] of Object.entries(files)) {
  const file = new URL(name, generated);
  const current = await readFile(file, "utf8").catch(() => null);
  if (current === text) continue;
  stale.push(name);
  if (!check) await writeFile(file, text);
}
if (check && stale.length > 0) {
  console.error(`stale in src/protocol/generated: ${stale.join(", ")}; run \`npm run codegen\``);
  process.exit(1);
}
console.log(stale.length > 0 ? `wrote ${stale.join(", ")}` : "nothing to write");

async function json(name) {
  return JSON.parse(await readFile(new URL(name, protocol), "utf8"));
}

function codes({ errors, closes }) {
  const lines = [
    "// Generated from edge-hub/protocol/codes.json by `npm run codegen`; do not edit.",
    "",
    "/** What a client does after the code: give up, try again at once, or after a pause. */",
    'export type Retry = "never" | "now" | "backoff";',
    "",
    "export interface ErrorCode {",
    "  readonly sentence: string;",
    "  readonly retry: Retry;",
    "}",
    "",
    "export interface CloseCode {",
    "  readonly name: string;",
    "  readonly sentence: string;",
    "  readonly retry: Retry;",
    "}",
    "",
    "export const ERRORS: ReadonlyMap<string, ErrorCode> = new Map([",
    ...errors.map(({ code, ...entry }) => row(code, entry)),
    "] satisfies [string, ErrorCode][]);",
    "",
    "export const CLOSES: ReadonlyMap<number, CloseCode> = new Map([",
    ...closes.map(({ code, ...entry }) => row(code, entry)),
    "] satisfies [number, CloseCode][]);",
    "",
  ];
  return lines.join("\n");
}

function row(code, entry) {
  const fields = Object.entries(entry).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `  [${JSON.stringify(code)}, { ${fields.join(", ")} }],`;
}

async function frames(schema) {
  const { ClientFrame, ...others } = schema.$defs;
  const definitions = { ClientFrame, ...absentNotNull(others) };
  const text = await compile(separate({ ...schema, $defs: definitions }), schema.title ?? "Frames", {
    bannerComment:
      "// Generated from edge-hub/protocol/schema.json by `npm run codegen`; do not edit.",
    additionalProperties: false,
    unreachableDefinitions: true,
    style: { printWidth: 100 },
  });
  return text
    // The compiler's own remarks say nothing to a reader.
    .replace(/ \*\n \* This interface was referenced by [^\n]*\n[^\n]*\n/g, "")
    .replace(/\/\*\*\n \* This interface was referenced by [^\n]*\n[^\n]*\n \*\/\n/g, "")
    .replace(/: (\w+)\[\]/g, ": readonly $1[]");
}

// The server leaves out what it has not; it never sends null in the place of an optional field.
function absentNotNull(schema) {
  if (Array.isArray(schema)) return schema.map(absentNotNull);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, absentNotNull(value)]),
  );
  const required = new Set(copy.required ?? []);
  for (const [name, property] of Object.entries(copy.properties ?? {})) {
    if (!required.has(name)) copy.properties[name] = withoutNull(property);
  }
  return copy;
}

function withoutNull(schema) {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    return { ...schema, type: types.length === 1 ? types[0] : types };
  }
  if (!Array.isArray(schema.anyOf)) return schema;
  const { anyOf, ...rest } = schema;
  const kept = anyOf.filter((option) => option.type !== "null");
  return kept.length === 1 ? { ...rest, ...kept[0] } : { ...rest, anyOf: kept };
}

// A reference beside other keywords means both (JSON Schema 2020-12); the compiler knows draft 4,
// in which the others are ignored.
function separate(schema) {
  if (Array.isArray(schema)) return schema.map(separate);
  if (schema === null || typeof schema !== "object") return schema;
  const entries = Object.entries(schema).map(([key, value]) => [key, separate(value)]);
  const { $ref, description, ...rest } = Object.fromEntries(entries);
  if ($ref === undefined) return Object.fromEntries(entries);
  const reference = { $ref };
  return Object.keys(rest).length === 0 ? reference : { description, allOf: [rest, reference] };
}
