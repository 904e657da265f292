import type { ChangedFrame, User } from "./frames.ts";
import type { Item } from "./timeline.ts";

/** What became of one message. */
export interface Changes {
  /** The newest edit. */
  readonly edit: Extract<ChangedFrame, { change: "edit" }> | null;
  readonly deletion: ChangedFrame | null;
  readonly reactions: readonly Reaction[];
}

/** A reaction and who has it, those who came first in front. */
export interface Reaction {
  readonly reaction: string;
  readonly users: readonly User[];
}

export const UNCHANGED: Changes = { edit: null, deletion: null, reactions: [] };

/** The user by whom what an operator erased is deleted, and whose it was: nobody. */
const ERASED = "erased";

/** Whether it deletes what an operator erased: nothing is told of that. */
export function isErasure(entry: ChangedFrame): boolean {
  return entry.change === "delete" && entry.user.id === ERASED;
}

/**
 * The changes of a log, by the tag of the message that they are about. In which order the entries
 * were read does not matter: the log's own order is what counts.
 */
export function changesOf(items: readonly Item[]): ReadonlyMap<string, Changes> {
  const changes = new Map<string, Changes>();
  const erased = new Set(
    items.flatMap((item) =>
      item.type === "changed" && isErasure(item.entry) ? [item.entry.target.position.tag] : [],
    ),
  );
  for (const item of items) {
    if (item.type !== "changed") continue;
    // A reaction can be erased as well; what a deletion deleted stays deleted.
    if (item.entry.change === "react" && erased.has(item.entry.position.tag)) continue;
    const { tag } = item.entry.target.position;
    changes.set(tag, changed(changes.get(tag) ?? UNCHANGED, item.entry));
  }
  return changes;
}

function changed(before: Changes, entry: ChangedFrame): Changes {
  switch (entry.change) {
    case "edit":
      return { ...before, edit: entry };
    case "delete":
      return { ...before, deletion: entry };
    case "react":
      return { ...before, reactions: reacted(before.reactions, entry.reaction, entry.user, entry.remove === true) };
  }
}

export function reacted(
  reactions: readonly Reaction[],
  reaction: string,
  user: User,
  remove: boolean,
): readonly Reaction[] {
  const users = reactions.find((each) => each.reaction === reaction)?.users ?? [];
  const known = users.some(({ id }) => id === user.id);
  if (known !== remove) return reactions;
  const next = { reaction, users: remove ? users.filter(({ id }) => id !== user.id) : [...users, user] };
  const others = reactions.map((each) => (each.reaction === reaction ? next : each));
  return (users.length === 0 ? [...reactions, next] : others).filter((each) => each.users.length > 0);
}
