import type { Reaction } from "@clustertalk/client";
import "./changes.css";

interface Props {
  readonly reactions: readonly Reaction[];
  readonly self: string | null;
  readonly onReact: (reaction: string, remove: boolean) => void;
}

/** Who reacted how; pressing one joins in, or takes one's own back. */
export function ReactionBar({ reactions, self, onReact }: Props) {
  return (
    <ul className="reactions" aria-label="Reactions">
      {reactions.map(({ reaction, users }) => {
        const names = users.map(({ name }) => name).join(", ");
        const own = users.some(({ id }) => id === self);
        return (
          <li key={reaction}>
            <button
              type="button"
              className="reaction"
              aria-pressed={own}
              aria-label={`${reaction} by ${names}`}
              title={names}
              onClick={() => onReact(reaction, own)}
            >
              {reaction} {users.length}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
