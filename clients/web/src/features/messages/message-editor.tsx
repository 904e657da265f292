import { type KeyboardEvent, type SyntheticEvent, useState } from "react";

interface Props {
  readonly text: string;
  readonly onSave: (text: string) => void;
  readonly onCancel: () => void;
}

/** Another text for a message, in its place. */
export function MessageEditor({ text: before, onSave, onCancel }: Props) {
  const [text, setText] = useState(before);
  const next = text.trim();

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    if (next === "") return;
    if (next === before) onCancel();
    else onSave(next);
  }

  function pressed(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      event.stopPropagation();
      return onCancel();
    }
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    submit(event);
  }

  return (
    <form className="editor" onSubmit={submit}>
      <div className="composer-grow" data-text={text}>
        <textarea
          className="composer-input"
          rows={1}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={pressed}
          aria-label="Edit message"
          autoFocus
          onFocus={({ currentTarget }) => currentTarget.setSelectionRange(before.length, before.length)}
        />
      </div>
      <div className="editor-buttons">
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" className="button button-primary" disabled={next === ""}>
          Save
        </button>
      </div>
    </form>
  );
}
