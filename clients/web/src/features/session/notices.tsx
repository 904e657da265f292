import type { Notice } from "../../lib/chat";
import { Icon } from "../../theme/icon";
import "./session.css";

interface Props {
  readonly notices: readonly Notice[];
  readonly onDismiss: (id: number) => void;
}

/** Refusals that belong to no message. */
export function Notices({ notices, onDismiss }: Props) {
  return (
    <div className="notices" role="alert">
      {notices.map(({ id, text }) => (
        <div key={id} className="notice">
          <Icon name="alert" />
          <span>{text}</span>
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => onDismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
