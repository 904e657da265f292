import type { User } from "@clustertalk/client";
import { Avatar } from "../../theme/avatar";
import "./presence.css";

interface Props {
  readonly members: readonly User[];
  readonly count: number;
  readonly self: string | null;
}

export function MemberList({ members, count, self }: Props) {
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
        {sorted.map(({ id, name }) => (
          <li key={id} className="member">
            <span className="member-avatar">
              <Avatar name={name} small />
            </span>
            <span className="member-name">{name}</span>
            {id === self && <span className="member-self">you</span>}
          </li>
        ))}
      </ul>
      {more > 0 && <p className="members-more">and {more} more</p>}
    </section>
  );
}
