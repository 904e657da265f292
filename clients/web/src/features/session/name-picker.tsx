import { isUserName } from "@clustertalk/client";
import { type SyntheticEvent, useId, useState } from "react";
import "./session.css";

interface Props {
  /** The name so far; without one there is no way back. */
  readonly current: string | null;
  readonly onPick: (name: string) => void;
  readonly onCancel: () => void;
  /** Says it by a token instead. */
  readonly onToken: () => void;
}

export function NamePicker({ current, onPick, onCancel, onToken }: Props) {
  const [name, setName] = useState(current ?? "");
  const [tried, setTried] = useState(false);
  const hint = useId();
  const valid = isUserName(name.trim());

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    setTried(true);
    if (valid) onPick(name.trim());
  }

  return (
    <div className="picker" role="dialog" aria-modal="true" aria-labelledby="picker-title">
      <form
        className="picker-card glass"
        onSubmit={submit}
        onKeyDown={({ key }) => (key === "Escape" && current !== null ? onCancel() : undefined)}
      >
        <p className="picker-brand" aria-hidden="true">
          <span>Cluster</span>
          <span>Talk</span>
        </p>
        <h1 id="picker-title" className="picker-title">{current === null ? "Who is speaking?" : "Change your name"}</h1>
        <p className="picker-lead">Your name is how others see you in every room.</p>
        <label className="eyebrow" htmlFor="name">
          Name
        </label>
        <input
          id="name"
          className="field picker-field"
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoComplete="nickname"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={64}
          autoFocus
          aria-invalid={tried && !valid}
          aria-describedby={hint}
          placeholder="ada"
        />
        <p id={hint} className="picker-hint" data-wrong={tried && !valid}>
          Letters, digits and . _ @ | : + - without spaces
        </p>
        <div className="picker-actions">
          <button type="button" className="button picker-other" onClick={onToken}>
            Use a token
          </button>
          {current !== null && (
            <button type="button" className="button" onClick={onCancel}>
              Keep {current}
            </button>
          )}
          <button type="submit" className="button button-primary" disabled={name.trim() === ""}>
            {current === null ? "Enter" : "Change"}
          </button>
        </div>
      </form>
    </div>
  );
}
