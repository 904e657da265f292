import { useEffect, useState } from "react";
import type { Waiting } from "../../lib/endpoint";
import { useSubmit } from "../../lib/use-submit";
import { DialogError } from "../../theme/dialog";

/** What is done with what waits. */
export interface QueueActions {
  /** `null`: the server does not tell. */
  readonly load: () => Promise<readonly Waiting[] | null>;
  readonly dismiss: (message: Waiting) => Promise<void>;
  readonly remove: (message: Waiting) => Promise<void>;
}

/** What was flagged or reported in the room, and nobody has looked at. */
export function Queue({ actions }: { readonly actions: QueueActions }) {
  const [waiting, setWaiting] = useState<readonly Waiting[] | null>([]);
  const { busy, error, submit } = useSubmit();
  const [load] = useState(() => actions.load);

  useEffect(() => {
    let shown = true;
    void load().then((found) => (shown ? setWaiting(found) : undefined));
    return () => {
      shown = false;
    };
  }, [load]);

  function resolve(message: Waiting, how: (message: Waiting) => Promise<void>): void {
    submit(
      () => how(message),
      () => setWaiting((before) => before?.filter((each) => each !== message) ?? null),
    );
  }

  return (
    <section className="form-section" aria-label="Waiting for moderators">
      <h3 className="eyebrow">Waiting for moderators</h3>
      {waiting === null && <p className="form-hint">The server does not tell what waits.</p>}
      {waiting?.length === 0 && <p className="form-hint">Nothing waits.</p>}
      {waiting?.map((message) => (
        <div key={`${message.user} ${message.id}`} role="group" aria-label={`Message of ${message.user}`}>
          <p className="form-hint">
            <b>{message.user}</b>: {message.text}
            <br />
            <small>{message.why.join(", ")}</small>
          </p>
          <div className="form-inline">
            <button type="button" className="button" disabled={busy} onClick={() => resolve(message, actions.dismiss)}>
              Nothing wrong
            </button>
            <button
              type="button"
              className="button button-danger"
              disabled={busy}
              onClick={() => resolve(message, actions.remove)}
            >
              Delete for everyone
            </button>
          </div>
        </div>
      ))}
      <DialogError text={error} />
    </section>
  );
}
