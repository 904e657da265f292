import type { RoomFrame } from "../frames.ts";
import type { Turn } from "./turn.ts";

/** The server told what is set of a room: one that is joined, or a private one that the user may join. */
export function told(turn: Turn, frame: RoomFrame): void {
  const { room: name, direct } = frame;
  const room = turn.room(name);
  if (room !== undefined) {
    const { you = room.settings?.you } = frame;
    turn.updateRoom(name, { settings: { ...frame, ...(you && { you }) }, settled: true });
  }
  if (!frame.private || turn.state.listed.some((each) => each.room === name)) return;
  const other = direct?.find((user) => user !== turn.state.self?.id);
  const summary = { room: name, members: 0, ...(other !== undefined && { with: other }) };
  turn.update({ listed: [...turn.state.listed, summary] });
}

/** A first `joined` of a connection without a `room` before it: nothing is set. */
export function settledByJoin(turn: Turn, name: string): void {
  if (turn.room(name)?.settled === false) turn.updateRoom(name, { settings: null, settled: true });
}

/** A private room that the user may not join any more, or that is gone, is listed to nobody outside. */
export function unlisted(turn: Turn, name: string, reason: string | undefined): void {
  if (reason === undefined || reason === "kicked") return;
  const { listed } = turn.state;
  if (reason === "deleted" || isPrivate(name)) turn.update({ listed: listed.filter(({ room }) => room !== name) });
}

/** The name alone tells (PROTOCOL.md, "Private rooms"). */
function isPrivate(name: string): boolean {
  return name.startsWith("private-") || name.startsWith("direct-");
}
