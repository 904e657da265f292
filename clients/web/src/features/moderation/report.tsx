import type { ReportReason } from "@clustertalk/client";
import { type SyntheticEvent, useState } from "react";
import { useSubmit } from "../../lib/use-submit";
import { Dialog, DialogError } from "../../theme/dialog";
import { REASONS } from "./reasons";

interface Props {
  /** Whose message it is. */
  readonly author: string;
  readonly onReport: (reason: ReportReason, note: string) => Promise<void>;
  readonly onClose: () => void;
}

/** Asks what is wrong with a message. */
export function Report({ author, onReport, onClose }: Props) {
  const [reason, setReason] = useState<ReportReason>("spam");
  const [note, setNote] = useState("");
  const { busy, error, submit } = useSubmit();

  function send(event: SyntheticEvent): void {
    event.preventDefault();
    submit(() => onReport(reason, note.trim()), onClose);
  }

  return (
    <Dialog title={`Report ${author}'s message`} lead="Moderators of the room see who reports it, and why." onClose={onClose}>
      <form className="form" onSubmit={send}>
        <div className="form-row">
          <label htmlFor="reason">What is wrong</label>
          <select
            id="reason"
            className="field"
            value={reason}
            onChange={(event) => setReason(event.target.value as ReportReason)}
          >
            {Object.entries(REASONS).map(([name, words]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </div>
        <div className="form-row">
          <label htmlFor="note">A note, if you like</label>
          <input
            id="note"
            className="field"
            value={note}
            onChange={(event) => setNote(event.target.value)}
            autoComplete="off"
            maxLength={64}
          />
        </div>
        <DialogError text={error} />
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-danger" disabled={busy}>
            Report
          </button>
        </div>
      </form>
    </Dialog>
  );
}
