import { type ReactNode, useEffect, useId, useRef } from "react";
import "./dialog.css";
import { Icon } from "./icon";

interface Props {
  readonly title: string;
  readonly lead?: string;
  readonly children: ReactNode;
  readonly onClose: () => void;
}

/** A window of its own over the page: the browser keeps the focus in it, and gives it back. */
export function Dialog({ title, lead, children, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();

  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);

  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={({ target, currentTarget }) => (target === currentTarget ? onClose() : undefined)}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div className="dialog-body">
        <h2 id={heading} className="dialog-title">
          {title}
        </h2>
        {lead !== undefined && <p className="dialog-lead">{lead}</p>}
        {children}
        <button type="button" className="icon-button dialog-close" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
    </dialog>
  );
}

/** Why what was asked was not done; nothing where it was not refused. */
export function DialogError({ text }: { readonly text: string | null }) {
  return (
    <p className="dialog-error" role="alert">
      {text}
    </p>
  );
}
