import type { Notice } from "../../lib/chat";
import { Icon } from "../../theme/icon";
import "./session.css";

interface Props {
  readonly notices: readonly Notice[];
  readonly onUndo: (notice: Notice) => void;
  readonly onDismiss: (id: number) => void;
}

/** What was refused and belongs to no message, and what was done and can be taken back. */
export function Notices({ notices, onUndo, onDismiss }: Props) {
  return (
    <div className="notices" role="alert">
      {notices.map((notice) => (
        <div key={notice.id} className="notice" data-tone={notice.tone}>
          <Icon name={notice.tone === "good" ? "check" : "alert"} />
          <span>{notice.text}</span>
          {notice.undo !== undefined && (
            <button type="button" className="button" onClick={() => onUndo(notice)}>
              Undo
            </button>
          )}
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => onDismiss(notice.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
