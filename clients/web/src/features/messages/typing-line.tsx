import type { User } from "@clustertalk/client";
import "./messages.css";

interface Props {
  readonly users: readonly User[];
}

export function TypingLine({ users }: Props) {
  return (
    <p className="typing" data-on={users.length > 0}>
      {users.length > 0 && (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {sentence(users.map(({ name }) => name))}
        </>
      )}
    </p>
  );
}

function sentence(names: readonly string[]): string {
  const [first = "", second = ""] = names;
  if (names.length === 1) return `${first} is typing`;
  if (names.length === 2) return `${first} and ${second} are typing`;
  return `${first}, ${second} and ${names.length - 2} more are typing`;
}
