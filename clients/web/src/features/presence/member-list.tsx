import type { User } from "@clustertalk/client";
import { useState } from "react";
import { Avatar } from "../../theme/avatar";
import { Icon } from "../../theme/icon";
import "./presence.css";

interface Props {
  readonly members: readonly User[];
  readonly count: number;
  readonly self: string | null;
  readonly mayModerate: boolean;
  /** Not in a conversation of two. */
  readonly mayMessage: boolean;
  readonly onMessage: (user: User) => void;
  readonly onModerate: (user: User) => void;
}

export function MemberList({ members, count, self, mayModerate, mayMessage, onMessage, onModerate }: Props) {
  const [open, setOpen] = useState<string | null>(null);
  const sorted = [...members].sort(
    (one, other) => Number(other.id === self) - Number(one.id === self) || one.name.localeCompare(other.name),
  );
  const more = count - members.length;
  return (
    <section className="members" aria-label="Members">
      <h2 className="eyebrow members-title">
        Here now <span className="members-count">{count}</span>
      </h2>
      <ul className="members-list">
        {sorted.map((user) => {
          const mine = user.id === self;
          const useful = !mine && (mayMessage || mayModerate);
          const isOpen = open === user.id;
          return (
            <li key={user.id} className="member" data-open={isOpen}>
              {useful ? (
                <button
                  type="button"
                  className="member-line"
                  aria-expanded={isOpen}
                  onClick={() => setOpen(isOpen ? null : user.id)}
                >
                  <Line user={user} note={null} />
                </button>
              ) : (
                <div className="member-line">
                  <Line user={user} note={mine ? "you" : null} />
                </div>
              )}
              {isOpen && useful && (
                <div className="member-actions">
                  {user.id !== user.name && <p className="member-id">{user.id}</p>}
                  {mayMessage && (
                    <button
                      type="button"
                      className="button"
                      onClick={() => {
                        setOpen(null);
                        onMessage(user);
                      }}
                    >
                      <Icon name="mail" />
                      Message {user.name}
                    </button>
                  )}
                  {mayModerate && (
                    <button
                      type="button"
                      className="button"
                      onClick={() => {
                        setOpen(null);
                        onModerate(user);
                      }}
                    >
                      <Icon name="shield" />
                      Moderate…
                    </button>
                  )}
                </div>
              )}
            </li>
          );
        })}
      </ul>
      {more > 0 && <p className="members-more">and {more} more</p>}
    </section>
  );
}

function Line({ user: { name }, note }: { readonly user: User; readonly note: string | null }) {
  return (
    <>
      <span className="member-avatar">
        <Avatar name={name} small />
      </span>
      <span className="member-name">{name}</span>
      {note !== null && <span className="member-self">{note}</span>}
    </>
  );
}
