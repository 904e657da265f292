import type { Command } from "./protocol/outbox.ts";

/**
 * Keeps what is on its way, so that it survives the program. An owner is a user of an edge, as an
 * opaque text: what one of them wrote must not be loaded for another.
 */
export interface OutboxStorage {
  /** What earlier clients of the owner left behind. Called once, before anything else. */
  load(owner: string): readonly Command[] | Promise<readonly Command[]>;
  /** Keeps these and no others for the owner. Nothing is sent before it is done. */
  save(owner: string, commands: readonly Command[]): void | Promise<void>;
  /** The client has ended: another one may take over what it left. */
  close?(): void;
}

/** Keeps it as long as the program runs. */
export function memoryStorage(): OutboxStorage {
  const kept = new Map<string, readonly Command[]>();
  return {
    load: (owner) => kept.get(owner) ?? [],
    save: (owner, commands) => void kept.set(owner, commands),
  };
}

const PREFIX = "clustertalk.outbox.";
const TAB = "clustertalk.tab";
/** A page that is being loaded anew may hold its lock for a moment still. */
const LOCK_MS = 500;

/**
 * Keeps it in the browser's local storage. Each tab has an outbox of its own, under a lock, so that
 * no message is sent by two of them; what a closed tab left unsent is taken over by the next one of
 * the same owner.
 */
export function browserStorage(): OutboxStorage {
  let tab: Tab | null = null;
  return {
    async load(owner) {
      tab = await ownTab();
      return takeOver(tab.name, owner);
    },
    save(owner, commands) {
      if (tab !== null) write(keyOf(tab.name, owner), commands);
    },
    close() {
      tab?.release();
      tab = null;
    },
  };
}

interface Tab {
  readonly name: string;
  readonly release: () => void;
}

async function ownTab(): Promise<Tab> {
  const stored = attempt(() => sessionStorage.getItem(TAB)) ?? null;
  // A duplicated tab has a copy of the other's storage, but not its lock.
  const held = stored === null ? null : await hold(stored);
  if (held !== null) return held;
  const name = crypto.getRandomValues(new Uint32Array(2)).join("-");
  attempt(() => sessionStorage.setItem(TAB, name));
  return (await hold(name)) ?? { name, release: () => undefined };
}

/** Takes a tab's lock until it is released or the page ends. Without locks everyone is believed. */
function hold(name: string): Promise<Tab | null> {
  if (!("locks" in navigator)) return Promise.resolve({ name, release: () => undefined });
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(LOCK_MS);
    const held = navigator.locks.request(
      PREFIX + name,
      { signal },
      () => new Promise<void>((release) => resolve({ name, release })),
    );
    held.catch(() => resolve(null));
  });
}

/** The owner's commands of this tab and of those that were closed, in the order of their writing. */
async function takeOver(tab: string, owner: string): Promise<readonly Command[]> {
  const own = keyOf(tab, owner);
  let commands = read(own);
  if (!("locks" in navigator)) return commands;
  const others = (attempt(() => Object.keys(localStorage)) ?? []).map(tabOf).filter((other) => other !== null);
  for (const other of new Set(others)) {
    const key = keyOf(other, owner);
    if (other === tab) continue;
    await navigator.locks.request(PREFIX + other, { ifAvailable: true }, (lock) => {
      const left = lock === null ? [] : read(key);
      if (left.length === 0) return;
      const all = new Map([...commands, ...left].map((command) => [command.id, command]));
      commands = [...all.values()].toSorted((one, another) => one.created_at_ms - another.created_at_ms);
      // In this order: a page that ends between the two has sent nothing yet.
      write(own, commands);
      write(key, []);
    });
  }
  return commands;
}

function keyOf(tab: string, owner: string): string {
  return `${PREFIX}${tab}.${owner}`;
}

/** The tab that a key belongs to, of whatever owner. */
function tabOf(key: string): string | null {
  return key.startsWith(PREFIX) ? (key.slice(PREFIX.length).split(".")[0] ?? null) : null;
}

function read(key: string): readonly Command[] {
  return (
    attempt(() => {
      const stored: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
      return Array.isArray(stored) ? (stored as readonly Command[]) : [];
    }) ?? []
  );
}

function write(key: string, commands: readonly Command[]): void {
  attempt(() => {
    if (commands.length === 0) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(commands));
  });
}

/** Storage may be forbidden or full; the chat goes on without it. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
