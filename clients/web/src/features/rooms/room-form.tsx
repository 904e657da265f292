import { isRoomName } from "@clustertalk/client";
import { type SyntheticEvent, useId, useState } from "react";
import { asRoomName } from "../../lib/names";
import { Icon } from "../../theme/icon";
import "./rooms.css";

interface Props {
  readonly onJoin: (room: string) => void;
}

/** Joins a room by its name; one that nobody has been in is made by it. */
export function RoomForm({ onJoin }: Props) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const hint = useId();

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    const room = asRoomName(text);
    setWrong(!isRoomName(room));
    if (!isRoomName(room)) return;
    setText("");
    onJoin(room);
  }

  return (
    <form className="room-form" onSubmit={submit}>
      <input
        className="field"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setWrong(false);
        }}
        placeholder="Join or create a room"
        aria-label="Join or create a room"
        aria-invalid={wrong}
        aria-describedby={wrong ? hint : undefined}
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        maxLength={65}
      />
      <button type="submit" className="icon-button" aria-label="Join" disabled={text.trim() === ""}>
        <Icon name="plus" />
      </button>
      {wrong && (
        <p id={hint} className="room-form-hint" role="alert">
          Lower-case letters, digits, _ and -, beginning with a letter or digit
        </p>
      )}
    </form>
  );
}
