/** A part of a text: `href` where it is a link. */
export interface Segment {
  readonly text: string;
  readonly href?: string;
}

const URLS = /https?:\/\/[^\s<>"'`]+/gi;
/** Punctuation after an address belongs to the sentence. */
const TRAILING = /[.,;:!?)\]}]+$/;

/** Splits a text into plain parts and web addresses. Nothing but http and https becomes a link. */
export function segments(text: string): readonly Segment[] {
  const parts: Segment[] = [];
  let from = 0;
  for (const match of text.matchAll(URLS)) {
    const address = trimmed(match[0]);
    if (!URL.canParse(address)) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: address, href: new URL(address).href });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

function trimmed(address: string): string {
  const bare = address.replace(TRAILING, "");
  // A closing bracket with its opening one is part of the address.
  return address.charAt(bare.length) === ")" && bare.includes("(") ? `${bare})` : bare;
}
