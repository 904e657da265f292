import type { Command } from "../protocol/outbox.ts";

const PREFIX = "clustertalk";
const OUTBOX = `${PREFIX}.outbox.`;
/** A page that is being loaded anew may hold its lock for a moment still. */
const LOCK_MS = 500;

/** What this tab keeps: an outbox of its own, and settings that a new tab begins with. */
export interface TabStorage {
  readonly outbox: readonly Command[];
  persist(user: string, commands: readonly Command[]): void;
}

interface Stored {
  readonly user: string;
  readonly commands: readonly Command[];
}

/**
 * Opens the outbox of this tab, and takes over what closed tabs of the same user left behind. Each
 * tab holds a lock on its own, so no message is sent by two of them.
 */
export async function openStorage(user: string): Promise<TabStorage> {
  const tab = await ownTab();
  const key = OUTBOX + tab;
  const own = read(key)?.commands ?? [];
  const found = new Map(own.map((command) => [command.id, command]));
  for (const command of await orphans(key, user)) found.set(command.id, command);
  const outbox = [...found.values()].toSorted((one, other) => one.created_at_ms - other.created_at_ms);
  return {
    outbox,
    persist(owner, commands) {
      if (commands.length === 0) attempt(() => localStorage.removeItem(key));
      else write(key, { user: owner, commands });
    },
  };
}

/** A setting of this tab, else that of the tab which changed it last. */
export function recall(name: string): string | null {
  const key = `${PREFIX}.${name}`;
  return attempt(() => sessionStorage.getItem(key) ?? localStorage.getItem(key)) ?? null;
}

export function remember(name: string, value: string): void {
  const key = `${PREFIX}.${name}`;
  attempt(() => {
    sessionStorage.setItem(key, value);
    localStorage.setItem(key, value);
  });
}

async function ownTab(): Promise<string> {
  const key = `${PREFIX}.tab`;
  const stored = attempt(() => sessionStorage.getItem(key)) ?? null;
  // A duplicated tab has a copy of the other's storage, but not its lock.
  if (stored !== null && (await hold(stored))) return stored;
  const tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
  await hold(tab);
  attempt(() => sessionStorage.setItem(key, tab));
  return tab;
}

/** Takes a tab's lock for as long as the page lives. Without locks everyone is believed. */
function hold(tab: string): Promise<boolean> {
  if (!("locks" in navigator)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(LOCK_MS);
    const held = navigator.locks.request(OUTBOX + tab, { signal }, () => {
      resolve(true);
      return new Promise<never>(() => undefined);
    });
    held.catch(() => resolve(false));
  });
}

async function orphans(own: string, user: string): Promise<readonly Command[]> {
  if (!("locks" in navigator)) return [];
  const keys = attempt(() => Object.keys(localStorage)) ?? [];
  const taken: Command[] = [];
  for (const key of keys.filter((each) => each.startsWith(OUTBOX) && each !== own)) {
    await navigator.locks.request(key, { ifAvailable: true }, (lock) => {
      const stored = lock === null ? null : read(key);
      if (stored?.user !== user) return;
      taken.push(...stored.commands);
      localStorage.removeItem(key);
    });
  }
  return taken;
}

function read(key: string): Stored | null {
  return (
    attempt(() => {
      const text = localStorage.getItem(key);
      return text === null ? null : (JSON.parse(text) as Stored);
    }) ?? null
  );
}

function write(key: string, value: Stored): void {
  attempt(() => localStorage.setItem(key, JSON.stringify(value)));
}

/** Storage may be forbidden or full; the chat goes on without it. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
