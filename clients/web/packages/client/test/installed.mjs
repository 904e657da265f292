// The package as others get it: packed, and installed into a folder of its own.
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

export class Installed {
  #folder;
  #server = null;
  #address = null;

  constructor(folder) {
    this.#folder = folder;
  }

  /** In a folder that has the example beside it. `npm run test:browser` builds it once before all tests. */
  static async here() {
    const folder = await mkdtemp(join(tmpdir(), "clustertalk-client-"));
    await run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: PACKAGE });
    const [tarball] = (await readdir(folder)).filter((file) => file.endsWith(".tgz"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${tarball}`], { cwd: folder });
    await cp(join(PACKAGE, "example"), folder, { recursive: true });
    return new Installed(folder);
  }

  get folder() {
    return this.#folder;
  }

  /** What it exports, as Node finds it by its name. */
  async module() {
    const require = createRequire(join(this.#folder, "package.json"));
    return await import(pathToFileURL(require.resolve("@clustertalk/client")).href);
  }

  /** Serves the folder as it is; resolves to the address of the example. */
  serve() {
    this.#address ??= this.#listen();
    return this.#address;
  }

  async #listen() {
    const types = { ".html": "text/html", ".js": "text/javascript" };
    this.#server = createServer(async ({ url }, response) => {
      const path = normalize(new URL(url, "http://localhost").pathname).replace(/\/$/, "/index.html");
      const body = await readFile(join(this.#folder, path)).catch(() => null);
      response.writeHead(body === null ? 404 : 200, { "content-type": types[extname(path)] ?? "text/plain" });
      response.end(body);
    });
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  async remove() {
    this.#server?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
