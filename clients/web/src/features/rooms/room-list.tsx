import type { RoomTitle } from "../../lib/names";
import type { Unread } from "../../lib/unread";
import { Icon } from "../../theme/icon";
import { RoomMark } from "./room-mark";
import "./rooms.css";

export interface RoomItem {
  readonly name: string;
  readonly title: RoomTitle;
  readonly members: number;
  readonly unread: Unread;
  readonly joined: boolean;
}

interface Props {
  readonly rooms: readonly RoomItem[];
  readonly active: string;
  readonly onOpen: (room: string) => void;
}

export function RoomList({ rooms, active, onOpen }: Props) {
  return (
    <ul className="rooms">
      {rooms.map((room) => (
        <li key={room.name}>
          <button
            type="button"
            className="room"
            data-joined={room.joined}
            data-fresh={room.unread.count > 0}
            aria-current={room.name === active ? "page" : undefined}
            aria-label={label(room)}
            onClick={() => onOpen(room.name)}
          >
            <RoomMark kind={room.title.kind} />
            <span className="room-name">{room.title.name}</span>
            {room.unread.count > 0 && (
              <span className="room-unread" data-mentioned={room.unread.mentioned} data-text={badge(room.unread)} />
            )}
            {room.title.kind !== "direct" && (
              <span className="room-members" data-text={room.members}>
                <Icon name="people" />
              </span>
            )}
          </button>
        </li>
      ))}
    </ul>
  );
}

function badge({ count, mentioned }: Unread): string {
  return `${mentioned ? "@ " : ""}${count > 99 ? "99+" : count}`;
}

/** The figures are drawn beside it, and are said here in words. */
function label({ title: { kind, name }, members, unread: { count, mentioned } }: RoomItem): string {
  const what = kind === "direct" ? "direct message" : `${members} ${members === 1 ? "member" : "members"}`;
  const parts = [name, what];
  if (kind === "private") parts.push("private");
  if (mentioned) parts.push("you are mentioned");
  if (count > 0) parts.push(`${count} unread`);
  return parts.join(", ");
}
