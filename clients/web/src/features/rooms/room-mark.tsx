import type { RoomTitle } from "../../lib/names";
import { Icon } from "../../theme/icon";

/** What stands before a room's name: decoration, which words repeat where it matters. */
export function RoomMark({ kind }: Pick<RoomTitle, "kind">) {
  return (
    <span className="room-mark" data-kind={kind} aria-hidden="true">
      {kind !== "open" && <Icon name={kind === "private" ? "lock" : "mail"} />}
    </span>
  );
}
