import type { Reaction } from "../../protocol/changes";
import "./changes.css";

interface Props {
  readonly reactions: readonly Reaction[];
  readonly self: string | null;
}

/** Who reacted how. */
export function ReactionBar({ reactions, self }: Props) {
  return (
    <ul className="reactions" aria-label="Reactions">
      {reactions.map(({ reaction, users }) => {
        const names = users.map(({ name }) => name).join(", ");
        return (
          <li key={reaction} className="reaction" data-own={users.some(({ id }) => id === self)} title={names}>
            <span aria-hidden="true">{reaction}</span> {users.length}
            <span className="visually-hidden">{`${reaction} by ${names}`}</span>
          </li>
        );
      })}
    </ul>
  );
}
