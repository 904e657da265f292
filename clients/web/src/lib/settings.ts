const PREFIX = "clustertalk";

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

/** Storage may be forbidden or full; the page goes on without it. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** A setting of this tab alone, which ends with it. */
export function recallHere(name: string): string | null {
  return attempt(() => sessionStorage.getItem(`${PREFIX}.${name}`)) ?? null;
}

export function rememberHere(name: string, value: string): void {
  attempt(() => sessionStorage.setItem(`${PREFIX}.${name}`, value));
}

export function forgetHere(name: string): void {
  attempt(() => sessionStorage.removeItem(`${PREFIX}.${name}`));
}
