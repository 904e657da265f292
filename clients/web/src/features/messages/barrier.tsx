import { Icon } from "../../theme/icon";
import "./messages.css";

interface Props {
  /** What keeps the user from writing, in a sentence. */
  readonly reason: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** Stands where the composer would, and is as high. */
export function BarrierLine({ reason, action }: Props) {
  return (
    <div className="composer">
      <div className="composer-box barrier">
        <Icon name="lock" />
        <p role="status" className="barrier-text">
          {reason}
        </p>
        {action !== undefined && (
          <button type="button" className="button" onClick={action.run}>
            {action.label}
          </button>
        )}
      </div>
    </div>
  );
}
