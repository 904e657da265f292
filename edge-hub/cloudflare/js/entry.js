// What the platform loads: the Worker's and the Durable Object's classes around the functions that
// wasm-bindgen exports.
//
// A trap spoils the one instance that all objects of this isolate share. So each is made anew when it
// is next called, from what the platform keeps of it, as after an eviction: its connections stay.
import { WorkerEntrypoint } from "cloudflare:workers";
import * as core from "./index.js";

const state = core.__worker_init_state();

addEventListener("error", ({ error }) => note(error));

function note(error) {
  if (error instanceof WebAssembly.RuntimeError) {
    console.error("the core trapped; objects begin anew", error);
    state.criticalError = true;
  }
}

/** Runs a call in a sound instance. */
async function guarded(call) {
  if (state.criticalError) {
    core.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId += 1;
  }
  try {
    return await call();
  } catch (error) {
    note(error);
    throw error;
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    return guarded(() => core.fetch.call(this, request, this.env, this.ctx));
  }
}

export class EdgeObject {
  #context;
  #environment;
  #object;
  #instance;

  constructor(context, environment) {
    this.#context = context;
    this.#environment = environment;
  }

  #call(name, ...values) {
    return guarded(() => {
      if (this.#instance !== state.instanceId) {
        this.#object = new core.EdgeObject(this.#context, this.#environment);
        this.#instance = state.instanceId;
      }
      return this.#object[name](...values);
    });
  }

  fetch(request) {
    return this.#call("fetch", request);
  }

  alarm() {
    return this.#call("alarm");
  }

  webSocketMessage(socket, message) {
    return this.#call("webSocketMessage", socket, message);
  }

  webSocketClose(socket, code, reason, wasClean) {
    return this.#call("webSocketClose", socket, code, reason, wasClean);
  }

  webSocketError(socket, error) {
    return this.#call("webSocketError", socket, error);
  }
}
