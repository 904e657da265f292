import { Icon } from "../../theme/icon";
import "./rooms.css";

export interface RoomItem {
  readonly name: string;
  readonly members: number;
  readonly unread: number;
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
      {rooms.map(({ name, members, unread, joined }) => (
        <li key={name}>
          <button
            type="button"
            className="room"
            data-joined={joined}
            aria-current={name === active ? "page" : undefined}
            aria-label={label(name, members, unread)}
            onClick={() => onOpen(name)}
          >
            <span className="room-mark">#</span>
            <span className="room-name">{name}</span>
            {unread > 0 && <span className="room-unread">{unread > 99 ? "99+" : unread}</span>}
            <span className="room-members">
              <Icon name="people" />
              {members}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function label(name: string, members: number, unread: number): string {
  const people = `${members} ${members === 1 ? "member" : "members"}`;
  return unread === 0 ? `${name}, ${people}` : `${name}, ${people}, ${unread} unread`;
}
