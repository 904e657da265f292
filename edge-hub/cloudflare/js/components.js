// Moderation and analytics for the Worker: what jco made of the components, one instance each that
// serves some calls and is thrown away after a trap. Workers compile no bytes at run time, so the core
// modules are imported, and instances made of them here.
import moderationCore from "./moderation.core.wasm";
import { instantiate as moderation } from "./moderation.js";
import analyticsCore from "./analytics.core.wasm";
import { instantiate as analytics } from "./analytics.js";
import { DIGESTS } from "./digests.js";

class Component {
  #instantiate;
  #core;
  #interface;
  #instance;
  #calls = 0;

  constructor(instantiate, core, name) {
    this.#instantiate = instantiate;
    this.#core = core;
    this.#interface = name;
  }

  /** Calls a function of the interface; an instance serves at most `reuse` calls. */
  call(name, argument, reuse) {
    if (this.#calls >= reuse) this.#instance = undefined;
    if (this.#instance === undefined) {
      const made = this.#instantiate(() => this.#core, {}, (core, imports) => new WebAssembly.Instance(core, imports));
      this.#instance = made[this.#interface];
      this.#calls = 0;
    }
    this.#calls += 1;
    try {
      return this.#instance[name](argument);
    } catch (error) {
      // After a trap nothing in it can be relied on.
      this.#instance = undefined;
      throw `${error?.payload ?? error}`;
    }
  }
}

const MODERATION = new Component(moderation, moderationCore, "moderator");
const ANALYTICS = new Component(analytics, analyticsCore, "recorder");

/** `at` is a u64 in the contracts, and absent fields are undefined. */
function read(json) {
  const { at, ...fields } = JSON.parse(json, (_, value) => value ?? undefined);
  return { ...fields, at: BigInt(at) };
}

export function review(message, reuse) {
  return JSON.stringify(MODERATION.call("review", read(message), reuse));
}

export function record(event, reuse) {
  return JSON.stringify(ANALYTICS.call("record", read(event), reuse));
}

export function digests() {
  return JSON.stringify(DIGESTS);
}
