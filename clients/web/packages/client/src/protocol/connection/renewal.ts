import type { ErrorFrame } from "../frames.ts";
import { isTemporary } from "../outbox.ts";
import type { State } from "./state.ts";
import type { Turn } from "./turn.ts";

/** How long before its token expires a connection goes on with another. */
const MARGIN_MS = 60_000;
/** The least time between two wishes for a token, however the clocks differ. */
const PAUSE_MS = 10_000;

/** Whether a connection that begins with the token at hand would be refused, or end soon. */
export function needsToken({ tokens, token, renewAt }: State, now: number): boolean {
  return tokens && (token === null || (renewAt !== null && renewAt <= now));
}

/** The server told until when it takes the token in use; it may last for ever. */
export function expires(turn: Turn, at: number | undefined): void {
  const known = turn.state.tokens && at !== undefined;
  const renewAt = known ? Math.max(turn.at + PAUSE_MS, at - MARGIN_MS) : null;
  turn.update({ renewAt, renewing: null, expiresAt: at ?? null });
}

/** Goes on with another token of the same user. */
export function renew(turn: Turn, token: string | null): void {
  if (token === null) return turn.update({ renewAt: turn.at + PAUSE_MS });
  const ref = turn.ref();
  turn.update({ renewAt: null, renewing: ref });
  turn.transmit({ type: "token", token, ref });
}

/** The token in use goes on to count, for as long as it does. */
export function renewalRefused(turn: Turn, error: ErrorFrame): void {
  const { code, message, retry_after_ms = 0 } = error;
  turn.update({ renewAt: turn.at + Math.max(PAUSE_MS, retry_after_ms), renewing: null });
  if (!isTemporary(error)) turn.deliver({ type: "refused", code, message });
}

export function renewalTimer(turn: Turn): void {
  const { phase, renewAt } = turn.state;
  if (phase.name !== "live" || renewAt === null || renewAt > turn.at) return;
  turn.update({ renewAt: null });
  turn.emit({ type: "want_token" });
}

export function nextRenewalDeadline({ phase, renewAt }: State): number[] {
  return phase.name === "live" && renewAt !== null ? [renewAt] : [];
}
