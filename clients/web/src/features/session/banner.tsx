import type { RoomSnapshot, Status } from "@clustertalk/client";
import { useEffect, useState } from "react";
import { timeOf } from "../../lib/clock";
import "./session.css";

interface Props {
  readonly status: Status;
  /** The room that is open. */
  readonly room: RoomSnapshot | undefined;
  /** How many messages and changes wait to be sent. */
  readonly queued: number;
  /** The milliseconds since 1970 at which the sign-in ends, where it does so without another token. */
  readonly endsAt: number | null;
  readonly onReconnect: () => void;
  readonly onSignIn: () => void;
}

/** What stands between the user and the others, if anything does. */
export function Banner({ status, room, queued, endsAt, onReconnect, onSignIn }: Props) {
  const waits = queued === 0 ? "" : ` ${queued} ${queued === 1 ? "message waits" : "messages wait"} here.`;

  switch (status.name) {
    case "connecting":
      return (
        <Strip tone="calm">
          {status.again ? "Reconnecting…" : "Connecting…"}
          {waits}
        </Strip>
      );
    case "waiting":
      return (
        <Strip tone="warn" action="Reconnect now" onAction={onReconnect}>
          {status.networkDown ? "You are offline." : "The connection was lost."}{" "}
          <Countdown key={status.retryAt} until={status.retryAt} />
          {waits}
        </Strip>
      );
    case "stopped":
      return (
        <Strip tone="bad" action="Connect again" onAction={onReconnect}>
          Disconnected: {status.message} <span className="banner-code">{status.code}</span>
          {waits}
        </Strip>
      );
    case "online":
      switch (room?.state) {
        case "joining":
          return <Strip tone="calm">Opening the room…</Strip>;
        case "catching-up":
          return <Strip tone="calm">Catching up…</Strip>;
        case "live":
        case "left":
        case undefined:
          if (endsAt === null) return <Strip tone="none">{null}</Strip>;
          return (
            <Strip tone="warn" action="Sign in again" onAction={onSignIn}>
              Your sign-in ends at {timeOf(endsAt)}.
            </Strip>
          );
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
  const [left, setLeft] = useState(() => until - Date.now());
  useEffect(() => {
    const timer = setInterval(() => setLeft(until - Date.now()), 250);
    return () => clearInterval(timer);
  }, [until]);
  const seconds = Math.max(0, Math.ceil(left / 1000));
  return <span aria-hidden="true">Trying again {seconds === 0 ? "now" : `in ${seconds} s`}.</span>;
}
