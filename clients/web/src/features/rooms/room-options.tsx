import { type RoomSettings, type RoomSnapshot, type RoomRole, isUserName } from "@clustertalk/client";
import { type ReactNode, type SyntheticEvent, useState } from "react";
import { spanOf } from "../../lib/sentences";
import { useSubmit } from "../../lib/use-submit";
import { Dialog, DialogError } from "../../theme/dialog";

/** What a moderator or owner can ask of a room. */
export interface RoomActions {
  readonly configure: (settings: Partial<RoomSettings>) => Promise<void>;
  readonly grant: (user: string, role: RoomRole) => Promise<void>;
  readonly revoke: (user: string) => Promise<void>;
  readonly unban: (user: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

interface Props {
  readonly title: string;
  readonly room: RoomSnapshot;
  readonly actions: RoomActions;
  /** What moderators see beside them. */
  readonly children: ReactNode;
  readonly onClose: () => void;
}

const SLOW = [0, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000] as const;

export function RoomOptions({ title, room, actions, children, onClose }: Props) {
  return (
    <Dialog title={`Settings of ${title}`} onClose={onClose}>
      <Settings room={room} actions={actions} onClose={onClose} />
      {children}
      <People room={room} actions={actions} />
      {room.role === "owner" && <Remove title={title} actions={actions} onClose={onClose} />}
    </Dialog>
  );
}

function Settings({ room, actions, onClose }: Omit<Props, "title" | "children">) {
  const { settings, role } = room;
  const [topic, setTopic] = useState(settings.topic);
  const [readOnly, setReadOnly] = useState(settings.readOnly);
  const [archived, setArchived] = useState(settings.archived);
  const [slow, setSlow] = useState(settings.slowModeMs);
  const { busy, error, submit } = useSubmit();
  const spans = [...new Set([...SLOW, settings.slowModeMs])].sort((one, other) => one - other);

  function save(event: SyntheticEvent): void {
    event.preventDefault();
    const next = { topic: topic.trim(), readOnly, slowModeMs: slow, archived };
    const changed = Object.entries(next).filter(([key, value]) => value !== settings[key as keyof typeof next]);
    if (changed.length === 0) return onClose();
    submit(() => actions.configure(Object.fromEntries(changed)), onClose);
  }

  return (
    <form className="form" onSubmit={save}>
      <div className="form-row">
        <label htmlFor="topic">Topic</label>
        <input
          id="topic"
          className="field"
          value={topic}
          onChange={(event) => setTopic(event.target.value)}
          autoComplete="off"
          maxLength={256}
        />
      </div>
      <div className="form-row">
        <label htmlFor="slow">Slow mode</label>
        <select id="slow" className="field" value={slow} onChange={(event) => setSlow(Number(event.target.value))}>
          {spans.map((ms) => (
            <option key={ms} value={ms}>
              {ms === 0 ? "off" : `one message each ${spanOf(ms)}`}
            </option>
          ))}
        </select>
      </div>
      <label className="choice">
        <input type="checkbox" checked={readOnly} onChange={(event) => setReadOnly(event.target.checked)} />
        <b>Read-only</b>
        <small>Only moderators and owners write here.</small>
      </label>
      {role === "owner" && (
        <label className="choice">
          <input type="checkbox" checked={archived} onChange={(event) => setArchived(event.target.checked)} />
          <b>Archived</b>
          <small>Nobody writes here any more; what was said can be read.</small>
        </label>
      )}
      <DialogError text={error} />
      <div className="form-actions">
        <button type="submit" className="button button-primary" disabled={busy}>
          Save
        </button>
      </div>
    </form>
  );
}

function People({ room, actions }: { readonly room: RoomSnapshot; readonly actions: RoomActions }) {
  const owner = room.role === "owner";
  const [name, setName] = useState("");
  const [role, setRole] = useState<RoomRole>("member");
  const [done, setDone] = useState<string | null>(null);
  const { busy, error, submit } = useSubmit();
  const user = name.trim();
  const valid = isUserName(user);

  function ask(asked: () => Promise<void>, told: string): void {
    setDone(null);
    submit(asked, () => setDone(told));
  }

  return (
    <form
      className="form-section"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid) ask(() => actions.grant(user, role), `${user} is ${role} now.`);
      }}
    >
      <h3 className="eyebrow">People</h3>
      <label className="form-hint" htmlFor="person">
        {room.settings.private ? "Let somebody in, by the id of the user" : "Give somebody a role, by the id of the user"}
      </label>
      <div className="form-inline">
        <input
          id="person"
          className="field"
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          maxLength={64}
          placeholder="bob"
        />
        {owner && (
          <select
            className="field"
            aria-label="Role"
            value={role}
            onChange={(event) => setRole(event.target.value as RoomRole)}
          >
            <option value="member">member</option>
            <option value="moderator">moderator</option>
            <option value="owner">owner</option>
          </select>
        )}
        <button type="submit" className="button" disabled={busy || !valid}>
          {room.settings.private ? "Let in" : "Give role"}
        </button>
      </div>
      <div className="form-inline">
        <button
          type="button"
          className="button"
          disabled={busy || !valid}
          onClick={() => ask(() => actions.revoke(user), `${user} has no role here any more.`)}
        >
          {room.settings.private ? "Put out" : "Take role away"}
        </button>
        <button
          type="button"
          className="button"
          disabled={busy || !valid}
          onClick={() => ask(() => actions.unban(user), `${user} is neither banned nor muted now.`)}
        >
          Lift ban and mute
        </button>
      </div>
      <p className="form-hint" role="status">
        {done}
      </p>
      <DialogError text={error} />
    </form>
  );
}

function Remove({ title, actions, onClose }: Omit<Props, "room" | "children">) {
  const [asked, setAsked] = useState(false);
  const { busy, error, submit } = useSubmit();
  return (
    <div className="form-section">
      <h3 className="eyebrow">Danger</h3>
      {asked ? (
        <>
          <p className="form-hint">Everything said in {title} is gone for everyone, at once and for good.</p>
          <div className="form-inline">
            <button type="button" className="button" autoFocus onClick={() => setAsked(false)}>
              Keep it
            </button>
            <button type="button" className="button button-danger" disabled={busy} onClick={() => submit(actions.remove, onClose)}>
              Delete for good
            </button>
          </div>
        </>
      ) : (
        <div className="form-inline">
          <button type="button" className="button button-danger" onClick={() => setAsked(true)}>
            Delete room…
          </button>
        </div>
      )}
      <DialogError text={error} />
    </div>
  );
}
