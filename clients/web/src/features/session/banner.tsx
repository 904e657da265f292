import { useEffect, useState } from "react";
import { now } from "../../lib/clock";
import type { State } from "../../protocol/connection/state";
import "./session.css";

interface Props {
  readonly state: State;
  /** The room that is open. */
  readonly room: string;
  readonly onReconnect: () => void;
}

/** What stands between the user and the others, if anything does. */
export function Banner({ state, room, onReconnect }: Props) {
  const { phase } = state;
  const waiting = state.outbox.commands.filter((command) => command.state === "waiting").length;
  const queued = waiting === 0 ? "" : ` ${waiting} ${waiting === 1 ? "message waits" : "messages wait"} here.`;

  switch (phase.name) {
    case "idle":
    case "connecting":
    case "greeting":
      return (
        <Strip tone="calm">
          {state.connection > 1 ? "Reconnecting…" : "Connecting…"}
          {queued}
        </Strip>
      );
    case "waiting":
      return (
        <Strip tone="warn" action="Reconnect now" onAction={onReconnect}>
          {state.online ? "The connection was lost." : "You are offline."}{" "}
          <Countdown key={phase.retryAt} until={phase.retryAt} />
          {queued}
        </Strip>
      );
    case "stopped":
      return (
        <Strip tone="bad" action="Connect again" onAction={onReconnect}>
          Disconnected: {phase.message} <span className="banner-code">{phase.code}</span>
          {queued}
        </Strip>
      );
    case "live": {
      const { name } = state.rooms.get(room)?.phase ?? { name: "live" };
      if (name === "live") return <Strip tone="none">{null}</Strip>;
      return <Strip tone="calm">{name === "paging" ? "Catching up…" : `Joining #${room}…`}</Strip>;
    }
  }
}

interface StripProps {
  readonly tone: "none" | "calm" | "warn" | "bad";
  readonly children: React.ReactNode;
  readonly action?: string;
  readonly onAction?: () => void;
}

function Strip({ tone, children, action, onAction }: StripProps) {
  return (
    <div className="banner" data-tone={tone}>
      <p role="status" className="banner-text">
        {children}
      </p>
      {action !== undefined && (
        <button type="button" className="button" onClick={onAction}>
          {action}
        </button>
      )}
    </div>
  );
}

/** Not announced each second: the live region holds the sentence, this only counts. */
function Countdown({ until }: { readonly until: number }) {
  const [left, setLeft] = useState(() => until - now());
  useEffect(() => {
    const timer = setInterval(() => setLeft(until - now()), 250);
    return () => clearInterval(timer);
  }, [until]);
  const seconds = Math.max(0, Math.ceil(left / 1000));
  return <span aria-hidden="true">Trying again {seconds === 0 ? "now" : `in ${seconds} s`}.</span>;
}
