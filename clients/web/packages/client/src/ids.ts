const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** An id in the manner of ULIDs: 10 digits of the time, then 16 at random. */
export function newId(now: number): string {
  let id = "";
  for (let rest = now, digit = 0; digit < 10; digit++) {
    id = DIGITS.charAt(rest % 32) + id;
    rest = Math.floor(rest / 32);
  }
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += DIGITS.charAt(byte % 32);
  return id;
}
