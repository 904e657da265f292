/** What the user probably meant by `#My Room`. */
export function asRoomName(text: string): string {
  return text.trim().replace(/^#+/, "").toLowerCase().replaceAll(/\s+/g, "-");
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
