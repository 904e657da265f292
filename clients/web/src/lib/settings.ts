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
