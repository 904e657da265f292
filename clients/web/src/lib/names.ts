/** What the user probably meant by `#My Room`. */
export function asRoomName(text: string): string {
  return text.trim().replace(/^#+/, "").toLowerCase().replaceAll(/\s+/g, "-");
}

/** How a room is called, and what stands before its name. */
export interface RoomTitle {
  readonly kind: "open" | "private" | "direct";
  readonly name: string;
  /** Of a direct room: the other user's id. */
  readonly other: string | null;
}

/** `with` is the other user of a direct room, where that is known. */
export function titleOf(room: string, other?: string): RoomTitle {
  if (room.startsWith("direct-")) return { kind: "direct", name: other ?? "Direct message", other: other ?? null };
  const base = /^private-(.+)-[0-9a-f]{16}$/.exec(room)?.[1];
  return base === undefined ? { kind: "open", name: room, other: null } : { kind: "private", name: base, other: null };
}

/** A title within a sentence. */
export function spoken({ kind, name }: RoomTitle): string {
  return kind === "direct" ? `your conversation with ${name}` : `#${name}`;
}

/** Which of these users a text names with an `@`, each once. */
export function mentions(text: string, users: readonly string[]): readonly string[] {
  const lower = text.toLowerCase();
  return users.filter((user) => {
    const name = `@${user.toLowerCase()}`;
    for (let at = lower.indexOf(name); at >= 0; at = lower.indexOf(name, at + 1)) {
      // The end of a sentence belongs to no name, though a name may have such signs within.
      const starts = at === 0 || !/[\w@]/.test(lower.charAt(at - 1));
      if (starts && !/^[.:|+-]*[\w@]/.test(lower.slice(at + name.length))) return true;
    }
    return false;
  });
}

/** An angle of the colour wheel, the same for a name wherever it is shown. */
export function hue(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 3600;
  return sum / 10;
}

export function initials(name: string): string {
  const [first = "?", second] = name.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return (second === undefined ? first.slice(0, 2) : first.slice(0, 1) + second.slice(0, 1)).toUpperCase();
}
