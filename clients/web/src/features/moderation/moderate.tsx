import type { User } from "@clustertalk/client";
import { type SyntheticEvent, useState } from "react";
import { spanOf } from "../../lib/sentences";
import { useSubmit } from "../../lib/use-submit";
import { Dialog, DialogError } from "../../theme/dialog";

/** What a moderator decides of a user; without `forMs` for good. */
export type Measure =
  | { readonly type: "kick" }
  | { readonly type: "mute" | "ban"; readonly forMs: number | undefined };

interface Props {
  readonly user: User;
  /** How the room is called in a sentence. */
  readonly room: string;
  readonly onMeasure: (measure: Measure) => Promise<void>;
  readonly onClose: () => void;
}

const CHOICES = [
  { type: "mute", label: "Mute", what: "can read, and writes nothing" },
  { type: "kick", label: "Kick", what: "leaves the room now, and may come back" },
  { type: "ban", label: "Ban", what: "leaves the room now, and is kept out" },
] as const;

const SPANS = [10 * 60_000, 3_600_000, 86_400_000, 7 * 86_400_000] as const;

/** Asks what is to become of a user, and says what that means before it is done. */
export function Moderate({ user, room, onMeasure, onClose }: Props) {
  const [type, setType] = useState<Measure["type"]>("mute");
  const [span, setSpan] = useState<number>(SPANS[0]);
  const { busy, error, submit } = useSubmit();
  const verb = CHOICES.find((choice) => choice.type === type)?.label;

  function decide(event: SyntheticEvent): void {
    event.preventDefault();
    const forMs = span === 0 ? undefined : span;
    submit(() => onMeasure(type === "kick" ? { type } : { type, forMs }), onClose);
  }

  return (
    <Dialog title={`Moderate ${user.name}`} lead={`This is for ${room} alone, on every device of ${user.name}.`} onClose={onClose}>
      <form className="form" onSubmit={decide}>
        <fieldset className="form-choices">
          <legend className="visually-hidden">What to do</legend>
          {CHOICES.map((choice) => (
            <label key={choice.type} className="choice">
              <input type="radio" name="measure" checked={type === choice.type} onChange={() => setType(choice.type)} />
              <b>{choice.label}</b>
              <small>
                {user.name} {choice.what}.
              </small>
            </label>
          ))}
        </fieldset>
        <div className="form-row">
          <label htmlFor="span">For how long</label>
          <select
            id="span"
            className="field"
            value={span}
            disabled={type === "kick"}
            onChange={(event) => setSpan(Number(event.target.value))}
          >
            {SPANS.map((ms) => (
              <option key={ms} value={ms}>
                {spanOf(ms)}
              </option>
            ))}
            <option value={0}>until it is lifted</option>
          </select>
        </div>
        <DialogError text={error} />
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-danger" disabled={busy}>
            {verb} {user.name}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
