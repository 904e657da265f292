import type { ErrorFrame, Management, RoomFrame } from "../frames.ts";
import { ANSWER_MS, type State } from "./state.ts";
import type { Turn } from "./turn.ts";

/** The codes of this side, for what never got an answer. */
const OFFLINE = { code: "offline", message: "there is no connection at the moment; try again" };
const UNANSWERED = {
  code: "unanswered",
  message: "the answer did not come; it may have been done or not",
};

/**
 * Asks something about rooms or users. It waits a little for the connection and is never kept: what
 * was decided about others must not happen by itself much later.
 */
export function manage(turn: Turn, { id, management }: { readonly id: string; readonly management: Management }): void {
  if (turn.state.phase.name === "stopped") return turn.deliver({ type: "answered", id, refusal: OFFLINE });
  const asked = { management, until: turn.at + ANSWER_MS, sent: false };
  turn.update({ managing: new Map(turn.state.managing).set(id, asked) });
}

export function sendManagement(turn: Turn): void {
  if (turn.state.phase.name !== "live") return;
  for (const [id, asked] of turn.state.managing) {
    if (asked.sent) continue;
    turn.update({ managing: new Map(turn.state.managing).set(id, { ...asked, sent: true }) });
    turn.transmit({ ...asked.management, ref: id });
  }
}

/** True if a frame of the server with this `ref` answers what was asked here. */
export function isManaging({ state }: Turn, ref: string | undefined): ref is string {
  return ref !== undefined && state.managing.has(ref);
}

export function managed(turn: Turn, id: string, room?: RoomFrame): void {
  settle(turn, id);
  turn.deliver({ type: "answered", id, ...(room && { room }) });
}

export function managementRefused(turn: Turn, id: string, { code, message, retry_after_ms }: ErrorFrame): void {
  settle(turn, id);
  const refusal = { code, message, ...(retry_after_ms !== undefined && { retry_after_ms }) };
  turn.deliver({ type: "answered", id, refusal });
}

/** The connection is gone, and the answers that it owed with it. */
export function forgetManaging(turn: Turn): void {
  for (const [id, { sent }] of turn.state.managing) if (sent) giveUp(turn, id);
}

export function managementTimer(turn: Turn): void {
  for (const [id, { until }] of turn.state.managing) if (until <= turn.at) giveUp(turn, id);
}

export function nextManagementDeadline({ managing }: State): number[] {
  return [...managing.values()].map(({ until }) => until);
}

function giveUp(turn: Turn, id: string): void {
  const refusal = turn.state.managing.get(id)?.sent === true ? UNANSWERED : OFFLINE;
  settle(turn, id);
  turn.deliver({ type: "answered", id, refusal });
}

function settle(turn: Turn, id: string): void {
  turn.update({ managing: new Map([...turn.state.managing].filter(([other]) => other !== id)) });
}
