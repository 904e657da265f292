/** Gets a token that says who speaks, from whoever issues them. It is called again before each expires. */
export type TokenProvider = () => string | Promise<string>;

/**
 * Whose token it is, for telling the outboxes of one browser's users from each other. It is read
 * and not verified: what it may do is the server's to decide.
 */
export function subjectOf(token: string): string {
  try {
    const [, payload = ""] = token.split(".");
    const { iss, sub } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as Record<string, unknown>;
    return JSON.stringify([iss, sub]);
  } catch {
    return token;
  }
}
