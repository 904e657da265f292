import type { RoomSnapshot } from "@clustertalk/client";
import type { RoomTitle } from "../../lib/names";
import { spanOf } from "../../lib/sentences";
import { Icon } from "../../theme/icon";
import { RoomMark } from "./room-mark";
import "./rooms.css";

interface Props {
  readonly title: RoomTitle;
  readonly room: RoomSnapshot | undefined;
}

/** What the open room is called and about, and what is special here. */
export function RoomHeading({ title, room }: Props) {
  const settings = room?.settings;
  return (
    <div className="heading">
      <h1 className="heading-title">
        <RoomMark kind={title.kind} />
        <span className="heading-name">{title.name}</span>
        {title.kind === "private" && <span className="visually-hidden">, private</span>}
      </h1>
      {settings !== undefined && (
        <p className="heading-topic">
          {settings.archived && (
            <span className="badge">
              <Icon name="lock" />
              archived
            </span>
          )}
          {settings.readOnly && !settings.archived && <span className="badge">read-only</span>}
          {settings.slowModeMs > 0 && (
            <span className="badge" title={`One message each ${spanOf(settings.slowModeMs)}`}>
              slow mode
            </span>
          )}
          {room?.role != null && room.role !== "member" && title.kind !== "direct" && (
            <span className="badge badge-role">{room.role}</span>
          )}
          {settings.topic !== "" && <span title={settings.topic}>{settings.topic}</span>}
        </p>
      )}
    </div>
  );
}
