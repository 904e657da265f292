import { type SyntheticEvent, useId, useState } from "react";
import { isToken } from "../../lib/sign-in";
import "./session.css";

/** Why a token is asked for. */
export type SignInReason = "first" | "refused" | "ends" | "ended" | "instead";

interface Props {
  readonly because: SignInReason;
  /** What the server said of the last one. */
  readonly detail: string | null;
  readonly onToken: (token: string) => void;
  /** Without it there is no way back. */
  readonly onCancel: (() => void) | null;
}

/** Asks for a token, where the server takes nobody at his word. */
export function SignInForm({ because, detail, onToken, onCancel }: Props) {
  const [text, setText] = useState("");
  const [tried, setTried] = useState(false);
  const hint = useId();
  const token = text.trim();
  const wrong = tried && !isToken(token);

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    setTried(true);
    if (isToken(token)) onToken(token);
  }

  return (
    <div className="picker" role="dialog" aria-modal="true" aria-labelledby="picker-title">
      <form
        className="picker-card glass"
        onSubmit={submit}
        onKeyDown={({ key }) => (key === "Escape" && onCancel !== null ? onCancel() : undefined)}
      >
        <p className="picker-brand" aria-hidden="true">
          <span>Cluster</span>
          <span>Talk</span>
        </p>
        <h1 id="picker-title" className="picker-title">{TITLES[because]}</h1>
        <p className="picker-lead">{LEADS[because]}</p>
        {detail !== null && (
          <p className="picker-refusal" role="alert">
            The server said: {detail}
          </p>
        )}
        <label className="eyebrow" htmlFor="token">
          Token
        </label>
        <input
          id="token"
          type="password"
          className="field picker-field"
          value={text}
          onChange={(event) => setText(event.target.value)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          aria-invalid={wrong}
          aria-describedby={hint}
          placeholder="eyJhbGciOi…"
        />
        <p id={hint} className="picker-hint" data-wrong={wrong}>
          {wrong ? "That is no token: it has three parts with dots between them" : "It stays in this tab and is not put into links"}
        </p>
        <div className="picker-actions">
          {onCancel !== null && (
            <button type="button" className="button" onClick={onCancel}>
              {because === "instead" ? "Choose a name" : "Not now"}
            </button>
          )}
          <button type="submit" className="button button-primary" disabled={token === ""}>
            Sign in
          </button>
        </div>
      </form>
    </div>
  );
}

const TITLES = {
  first: "Sign in",
  instead: "Sign in",
  refused: "Sign in again",
  ends: "Stay signed in",
  ended: "Your sign-in has ended",
} as const;

const LEADS = {
  first: "This server asks everyone for a token. Paste the one that your application or organisation gave you.",
  instead: "Paste the token that your application or organisation gave you.",
  refused: "The last token did not count here. Paste another one.",
  ends: "Your token ends soon. With a new one you stay connected and miss nothing.",
  ended: "Your token does not count any more. With a new one you go on where you were.",
} as const;
