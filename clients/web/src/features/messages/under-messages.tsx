import type { Receipt, User } from "@clustertalk/client";
import { TypingLine } from "./typing-line";

interface Props {
  readonly typing: readonly User[];
  /** Who has read the user's own newest message, where that is the newest of all. */
  readonly seenBy: readonly Receipt[];
}

/** One line below the messages, which is there whether it says something or not. */
export function UnderMessages({ typing, seenBy }: Props) {
  const names = seenBy.map(({ user }) => user.name);
  return (
    <div className="under">
      <TypingLine users={typing} />
      {names.length > 0 && (
        <p className="seen" title={names.join(", ")}>
          Seen by {names.length > 2 ? `${names.length} people` : names.join(" and ")}
        </p>
      )}
    </div>
  );
}
