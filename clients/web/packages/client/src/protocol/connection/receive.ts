import type { ErrorFrame, PongFrame, ServerFrame } from "../frames.ts";
import { type Command, INTERNAL_TRIES, isTemporary } from "../outbox.ts";
import { entry, joined, page } from "./catch-up.ts";
import { forkHistory, forkUnanswered, resolveDoubts } from "./fork.ts";
import { isManaging, managed, managementRefused } from "./management.ts";
import { readAnswered } from "./reading.ts";
import { expires, renewalRefused } from "./renewal.ts";
import { forget, leaveAnswered, left, rejoin } from "./rooms.ts";
import { acknowledged } from "./sending.ts";
import { told } from "./settings.ts";
import { draining, ponged, welcomed } from "./session.ts";
import type { Turn } from "./turn.ts";

/** The pause before a join is tried again, where the server named none. */
const PAUSE_MS = 1_000;

export function received(turn: Turn, frame: ServerFrame): void {
  if (isStale(turn, frame)) return;
  switch (frame.type) {
    case "welcome":
      return welcomed(turn, frame);
    case "joined":
      return joined(turn, frame);
    case "page":
      return page(turn, frame);
    case "message":
    case "changed":
    case "skipped":
      return entry(turn, frame);
    case "left":
      return left(turn, frame.room, frame.reason);
    case "ack":
      return acknowledged(turn, frame);
    case "history":
      return history(turn, frame);
    case "receipt":
      if (frame.user.id === turn.state.self?.id) readAnswered(turn, frame.room, frame.seq);
      return turn.room(frame.room) === undefined ? undefined : turn.deliver(frame);
    case "presence":
    case "typing":
      return turn.room(frame.room) === undefined ? undefined : turn.deliver(frame);
    case "room":
      told(turn, frame);
      turn.deliver(frame);
      return isManaging(turn, frame.ref) ? managed(turn, frame.ref, frame) : undefined;
    case "error":
      return refused(turn, frame);
    case "draining":
      return draining(turn, frame.after_ms);
    case "pong":
      return pong(turn, frame);
    case "renewed":
      return expires(turn, frame.expires_at);
    case "done":
      return isManaging(turn, frame.ref) ? managed(turn, frame.ref) : undefined;
  }
}

/** What was sent before the server heard that the user left says nothing of the room joined since. */
function isStale({ state }: Turn, frame: ServerFrame): boolean {
  switch (frame.type) {
    case "joined":
    case "page":
    case "message":
    case "changed":
    case "skipped":
    case "history":
    case "presence":
    case "typing":
    case "receipt":
    case "room":
      return state.leaving.has(frame.room);
    default:
      return false;
  }
}

function history(turn: Turn, frame: Extract<ServerFrame, { type: "history" }>): void {
  const room = turn.room(frame.room);
  if (room === undefined || frame.ref === undefined) return;
  turn.update({ outbox: turn.state.outbox.passed(turn.at, frame.messages) });
  if (frame.ref === room.fork?.ref) return forkHistory(turn, frame);
  if (frame.ref !== room.older) return;
  turn.updateRoom(frame.room, { older: null });
  turn.deliver({ type: "history", room: frame.room, entries: frame.messages, more: frame.more });
}

function pong(turn: Turn, frame: PongFrame): void {
  ponged(turn);
  for (const { room: name, position } of frame.rooms) {
    const room = turn.room(name);
    if (room?.phase.name !== "live" || room.cursor === null) continue;
    const { seq, tag } = room.cursor.position;
    if (position.seq > seq) {
      if (room.ahead === null) turn.updateRoom(name, { ahead: { position, since: turn.at } });
    } else if (position.seq < seq || position.tag !== tag || turn.state.outbox.isStoredBeyond(name, seq)) {
      // An edge that delivered, or stored, more than it has reads another log since.
      rejoin(turn, name);
    } else {
      resolveDoubts(turn, name);
    }
  }
}

function refused(turn: Turn, error: ErrorFrame): void {
  const { phase, tokens, renewing } = turn.state;
  const { ref, room } = error;
  // The close that follows says the same, and another token is asked for.
  if (error.code === "token_expired" && tokens) return;
  if (phase.name === "greeting" && room === undefined) return helloRefused(turn, error);
  if (ref === undefined) {
    if (room !== undefined && isExpected(turn, room)) return joinRefused(turn, error, room);
    return unattributed(turn, error);
  }
  if (ref === renewing) return renewalRefused(turn, error);
  if (isManaging(turn, ref)) return managementRefused(turn, ref, error);
  const command = turn.state.outbox.find(ref);
  if (command !== undefined) return commandRefused(turn, error, command);
  for (const [name, refs] of turn.state.leaving) {
    if (refs.includes(ref)) return leaveAnswered(turn, name, ref);
  }
  for (const [name, { phase, older, fork }] of turn.state.rooms) {
    // One hello joins many rooms; its refusals name the room.
    if (error.room !== undefined && error.room !== name) continue;
    if (phase.name === "joining" && phase.ref === ref) return joinRefused(turn, error, name);
    if (older === ref) return turn.updateRoom(name, { older: null });
    if (fork?.ref === ref) return forkUnanswered(turn, name);
  }
  unattributed(turn, error);
}

/** It opens no room; they are joined by the next hello that is taken. */
function helloRefused(turn: Turn, error: ErrorFrame): void {
  if (isTemporary(error)) turn.update({ refusal: error.message });
  else unattributed(turn, error);
}

/** Whether a `joined` or a page of the room is to come. */
function isExpected(turn: Turn, name: string): boolean {
  const phase = turn.room(name)?.phase.name;
  return phase === "joining" || phase === "paging";
}

function unattributed(turn: Turn, { code, message, room }: ErrorFrame): void {
  if (room === undefined) turn.update({ refusal: message });
  turn.deliver({ type: "refused", ...(room === undefined ? {} : { room }), code, message });
}

function commandRefused(turn: Turn, error: ErrorFrame, { id, room: name, state }: Command): void {
  const room = turn.room(name);
  if (error.code === "not_joined" && state === "sent" && room !== undefined) {
    // The server lost the room, not the message.
    turn.update({ outbox: turn.state.outbox.unsent(id) });
    return room.phase.name === "live" ? rejoin(turn, name) : undefined;
  }
  turn.update({ outbox: turn.state.outbox.refused(turn.at, id, error) });
}

function joinRefused(turn: Turn, error: ErrorFrame, name: string): void {
  const { code, message, retry_after_ms } = error;
  const tries = (turn.room(name)?.tries ?? 0) + (code === "internal" ? 1 : 0);
  if (isTemporary(error) && tries < INTERNAL_TRIES) {
    const retryAt = turn.at + (retry_after_ms ?? PAUSE_MS);
    return turn.updateRoom(name, { tries, phase: { name: "wanted", retryAt } });
  }
  forget(turn, name);
  turn.deliver({ type: "refused", room: name, code, message });
}
