import { type RoomSettings, isRoomName } from "@clustertalk/client";
import { type SyntheticEvent, useState } from "react";
import { asRoomName } from "../../lib/names";
import { useSubmit } from "../../lib/use-submit";
import { Dialog, DialogError } from "../../theme/dialog";

interface Props {
  readonly onCreate: (name: string, settings: Partial<RoomSettings>) => Promise<void>;
  readonly onClose: () => void;
}

/** Makes a room that has an owner. */
export function NewRoom({ onCreate, onClose }: Props) {
  const [text, setText] = useState("");
  const [topic, setTopic] = useState("");
  const [isPrivate, setPrivate] = useState(false);
  const [tried, setTried] = useState(false);
  const { busy, error, submit } = useSubmit();
  const name = asRoomName(text);
  const wrong = tried && !isRoomName(name);

  function create(event: SyntheticEvent): void {
    event.preventDefault();
    setTried(true);
    if (!isRoomName(name)) return;
    submit(() => onCreate(name, { private: isPrivate, ...(topic.trim() !== "" && { topic: topic.trim() }) }), onClose);
  }

  return (
    <Dialog title="New room" lead="You will be its owner: you set it up, and say who moderates it." onClose={onClose}>
      <form className="form" onSubmit={create}>
        <div className="form-row">
          <label htmlFor="new-room">Room name</label>
          <input
            id="new-room"
            className="field"
            value={text}
            onChange={(event) => setText(event.target.value)}
            aria-invalid={wrong}
            aria-describedby="new-room-hint"
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            maxLength={isPrivate ? 39 : 64}
            placeholder="plans"
          />
          <p id="new-room-hint" className="form-hint">
            Lower-case letters, digits, _ and -
          </p>
        </div>
        <div className="form-row">
          <label htmlFor="new-topic">Topic, if you like</label>
          <input
            id="new-topic"
            className="field"
            value={topic}
            onChange={(event) => setTopic(event.target.value)}
            autoComplete="off"
            maxLength={256}
            placeholder="What this room is about"
          />
        </div>
        <label className="choice">
          <input type="checkbox" checked={isPrivate} onChange={(event) => setPrivate(event.target.checked)} />
          <b>Private</b>
          <small>Only who you let in can see that it exists. This cannot be changed later.</small>
        </label>
        <DialogError text={error} />
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-primary" disabled={busy || name === ""}>
            Create room
          </button>
        </div>
      </form>
    </Dialog>
  );
}
