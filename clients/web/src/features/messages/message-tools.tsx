import { type KeyboardEvent, type RefObject, useState } from "react";
import { Icon } from "../../theme/icon";
import "./changes.css";

const REACTIONS = ["👍", "❤️", "😂", "🎉", "😮", "🙏"] as const;

interface Props {
  readonly own: boolean;
  /** Where the reader moderates the room. */
  readonly onModerate: (() => void) | null;
  readonly editButton: RefObject<HTMLButtonElement | null>;
  readonly onReact: (reaction: string) => void;
  readonly onReply: () => void;
  readonly onEdit: () => void;
  readonly onRemove: () => void;
  readonly onReport: () => void;
}

/** What can be done with a message: one stop of the Tab key, and arrows from tool to tool. */
export function MessageTools({ own, onModerate, editButton, onReact, onReply, onEdit, onRemove, onReport }: Props) {
  const [open, setOpen] = useState<"reactions" | "deletion" | null>(null);

  function pressed(event: KeyboardEvent<HTMLElement>): void {
    if (event.key === "Escape" && open !== null) {
      event.stopPropagation();
      setOpen(null);
    }
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const tools = [...event.currentTarget.querySelectorAll("button")];
    const here = tools.findIndex((tool) => tool === document.activeElement);
    tools[(here + by + tools.length) % tools.length]?.focus();
  }

  function toggle(what: "reactions" | "deletion"): void {
    setOpen(open === what ? null : what);
  }

  return (
    <div
      className="tools"
      role="toolbar"
      aria-label="Message tools"
      data-open={open !== null}
      onKeyDown={pressed}
      onBlur={({ currentTarget, relatedTarget }) => (currentTarget.contains(relatedTarget) ? undefined : setOpen(null))}
    >
      <button
        type="button"
        className="tool"
        aria-label="React"
        title="React"
        aria-expanded={open === "reactions"}
        onClick={() => toggle("reactions")}
      >
        <Icon name="smile" />
      </button>
      {open === "reactions" &&
        REACTIONS.map((reaction) => (
          <button
            key={reaction}
            type="button"
            className="tool"
            tabIndex={-1}
            aria-label={`React with ${reaction}`}
            onClick={() => {
              setOpen(null);
              onReact(reaction);
            }}
          >
            {reaction}
          </button>
        ))}
      <button type="button" className="tool" tabIndex={-1} aria-label="Reply" title="Reply" onClick={onReply}>
        <Icon name="reply" />
      </button>
      {own && (
        <button
          ref={editButton}
          type="button"
          className="tool"
          tabIndex={-1}
          aria-label="Edit"
          title="Edit"
          onClick={onEdit}
        >
          <Icon name="edit" />
        </button>
      )}
      {!own && (
        <button type="button" className="tool" tabIndex={-1} aria-label="Report" title="Report" onClick={onReport}>
          <Icon name="alert" />
        </button>
      )}
      {!own && onModerate !== null && (
        <button
          type="button"
          className="tool"
          tabIndex={-1}
          aria-label="Moderate the author"
          title="Mute, kick or ban the author"
          onClick={onModerate}
        >
          <Icon name="shield" />
        </button>
      )}
      {(own || onModerate !== null) && (
        <>
          <button
            type="button"
            className="tool"
            tabIndex={-1}
            aria-label="Delete"
            title="Delete"
            aria-expanded={open === "deletion"}
            onClick={() => toggle("deletion")}
          >
            <Icon name="trash" />
          </button>
          {open === "deletion" && (
            <button
              type="button"
              className="tool tool-danger"
              tabIndex={-1}
              onClick={({ currentTarget }) => {
                // The message takes the focus with it otherwise.
                currentTarget.closest<HTMLElement>('[role="log"]')?.focus({ preventScroll: true });
                onRemove();
              }}
            >
              Delete for everyone
            </button>
          )}
        </>
      )}
    </div>
  );
}
