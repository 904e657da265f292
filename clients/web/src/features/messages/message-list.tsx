import type { Line, User } from "@clustertalk/client";
import { memo, useEffect, useMemo, useState } from "react";
import { dayOf } from "../../lib/clock";
import { Icon } from "../../theme/icon";
import type { Actions } from "./actions";
import { LoadRow } from "./load-row";
import { MessageRow, PendingRow } from "./message-row";
import { type Row, rowsOf } from "./rows";
import { useAnchoredScroll } from "./use-anchored-scroll";
import "./changes.css";
import "./messages.css";

interface Props {
  /** How the room is called. */
  readonly room: string;
  readonly lines: readonly Line[];
  readonly self: User;
  readonly loading: boolean;
  /** Whether the room has been read up to its end. */
  readonly ready: boolean;
  /** Whether the user was put out of it, or not let in. */
  readonly out: boolean;
  readonly actions: Actions;
  readonly onOlder: (before: number) => void;
  readonly onRetry: (id: string) => void;
  readonly onDiscard: (id: string) => void;
  /** Whether the newest message is in sight. */
  readonly onReached: (atEnd: boolean) => void;
}

/** The messages of one room: give it the room as its key. */
export const MessageList = memo(function MessageList({
  room,
  lines,
  self,
  loading,
  ready,
  out,
  actions,
  onOlder,
  onRetry,
  onDiscard,
  onReached,
}: Props) {
  const rows = useMemo(() => rowsOf(lines, self.id), [lines, self.id]);
  const { scroller, atEnd, toEnd } = useAnchoredScroll(rows);
  const fresh = useFresh(rows.at(-1)?.key ?? "", atEnd);
  useEffect(() => onReached(atEnd), [onReached, atEnd]);

  function show(row: Row) {
    switch (row.type) {
      case "day":
        return <p className="day">{dayOf(row.at)}</p>;
      case "gone":
        return <p className="gone">{goneText(row)}</p>;
      case "gap":
        return <LoadRow before={row.before} busy={loading || !ready} onLoad={onOlder} />;
      case "message": {
        const { message, changes, asked, quote, opens, lost } = row;
        return <MessageRow {...{ message, changes, asked, quote, self, opens, lost, actions, onRetry, onDiscard }} />;
      }
      case "deleted":
        return <p className="deleted">{row.by === row.author ? "Message deleted" : "Message deleted by a moderator"}</p>;
      case "pending": {
        const { command, quote, opens } = row;
        const name = command.user ?? self.name;
        return <PendingRow {...{ command, quote, name, opens, onRetry, onDiscard }} />;
      }
    }
  }

  return (
    <div className="messages">
      <div
        ref={scroller}
        className="messages-scroll"
        role="log"
        aria-label={`Messages in ${room}`}
        aria-busy={(!ready && !out) || loading}
        tabIndex={0}
      >
        {rows.length === 0 && <Empty room={room} ready={ready} out={out} />}
        {rows.map((row) => (
          <div key={row.key} data-key={row.key} className="row">
            {show(row)}
          </div>
        ))}
      </div>
      {!atEnd && (
        <button type="button" className="to-end" data-fresh={fresh} onClick={toEnd}>
          <Icon name="down" />
          {fresh ? "New messages" : "Latest"}
        </button>
      )}
    </div>
  );
});

function Empty({ room, ready, out }: Pick<Props, "room" | "ready" | "out">) {
  if (out) return <div className="empty">There is nothing to see here.</div>;
  return (
    <div className="empty">
      <p className="empty-mark" aria-hidden="true">
        #
      </p>
      <p>{ready ? `Nobody has said anything in ${room} yet.` : "Opening the room…"}</p>
    </div>
  );
}

/** Whether something came below while the reader was further up. */
function useFresh(last: string, atEnd: boolean): boolean {
  const [seen, setSeen] = useState(last);
  if (atEnd && seen !== last) setSeen(last);
  return !atEnd && seen !== last;
}

function goneText({ lost: { from, to }, reason }: Extract<Row, { type: "gone" }>): string {
  const what = from === to ? `Message ${from}` : `Messages ${from}–${to}`;
  const verb = from === to ? "is" : "are";
  switch (reason) {
    case "trimmed":
      return `${what} ${verb} no longer kept`;
    case "damaged":
    case "diverged":
      return `${what} ${verb} missing from the server's log`;
  }
}
