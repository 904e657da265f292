import { memo } from "react";
import { momentOf, timeOf } from "../../lib/clock";
import { hue } from "../../lib/names";
import type { Changes } from "../../protocol/changes";
import type { MessageFrame } from "../../protocol/frames";
import type { Command } from "../../protocol/outbox";
import { Avatar } from "../../theme/avatar";
import { Icon } from "../../theme/icon";
import { MessageText } from "./message-text";
import { QuoteLine } from "./quote-line";
import { ReactionBar } from "./reaction-bar";
import type { Quote } from "./rows";

interface MessageProps {
  readonly message: MessageFrame;
  readonly changes: Changes;
  readonly quote: Quote | null;
  readonly own: boolean;
  readonly opens: boolean;
  readonly lost: boolean;
  readonly self: string | null;
}

export const MessageRow = memo(function MessageRow(props: MessageProps) {
  const { message, changes, quote, own, opens, lost, self } = props;
  const { user, at, position } = message;
  const { edit, reactions } = changes;
  const text = edit?.text ?? message.text;
  const moderation = edit?.moderation ?? message.moderation;
  const masked = moderation.action === "mask";
  return (
    <article className="message" data-own={own} data-opens={opens} data-lost={lost} data-masked={masked}>
      <Author name={user.name} own={own} opens={opens} />
      <div className="bubble">
        {quote !== null && <QuoteLine quote={quote} />}
        {masked && <Icon name="shield" />}
        <MessageText text={text} />
        {masked && moderation.label !== undefined && <span className="message-label">{moderation.label}</span>}
        <span className="message-meta">
          {lost && <span className="message-state">lost by the server</span>}
          {edit !== null && <span title={momentOf(edit.at)}>edited</span>}
          <time dateTime={new Date(at).toISOString()} title={momentOf(at)}>
            {timeOf(at)}
          </time>
          {own && !lost && <Tick icon="checks" label={`Delivered as number ${position.seq}`} />}
        </span>
      </div>
      {reactions.length > 0 && <ReactionBar reactions={reactions} self={self} />}
    </article>
  );
});

interface PendingProps {
  readonly command: Extract<Command, { type: "send" }>;
  readonly name: string;
  readonly opens: boolean;
  readonly onRetry: (id: string) => void;
  readonly onDiscard: (id: string) => void;
}

/** A message of the user's own that is not delivered back yet. */
export const PendingRow = memo(function PendingRow({ command, name, opens, onRetry, onDiscard }: PendingProps) {
  const { id, text, created_at_ms: at, state } = command;
  const stuck = state === "failed" || state === "uncertain";
  return (
    <article className="message" data-own="true" data-opens={opens} data-state={state}>
      <Author name={name} own opens={opens} />
      <div className="bubble">
        <MessageText text={text} />
        <span className="message-meta">
          <time dateTime={new Date(at).toISOString()}>{timeOf(at)}</time>
          <Progress command={command} />
        </span>
      </div>
      {stuck && (
        <div className="message-stuck">
          <p>
            {command.state === "failed"
              ? `Not sent: ${command.message}`
              : "It is not known whether this was sent: the messages of that time are no longer kept."}
          </p>
          <button type="button" className="button" onClick={() => onRetry(id)}>
            {state === "failed" ? "Try again" : "Send again"}
          </button>
          <button type="button" className="button" onClick={() => onDiscard(id)}>
            Discard
          </button>
        </div>
      )}
    </article>
  );
});

function Author({ name, own, opens }: { readonly name: string; readonly own: boolean; readonly opens: boolean }) {
  if (!opens) return <h3 className="visually-hidden">{name}</h3>;
  return (
    <>
      {!own && <Avatar name={name} />}
      <h3 className={own ? "visually-hidden" : "message-author"} style={{ color: `hsl(${hue(name)} 90% 78%)` }}>
        {name}
      </h3>
    </>
  );
}

function Progress({ command }: { readonly command: Command }) {
  switch (command.state) {
    case "waiting":
      return <Tick icon="clock" label="Waiting to be sent" />;
    case "sent":
      return <Tick icon="clock" label="Sending" />;
    case "acked":
      return <Tick icon="check" label={`Stored as number ${command.position.seq}`} />;
    case "delivered":
      return <Tick icon="checks" label={`Delivered as number ${command.position.seq}`} />;
    case "uncertain":
      return <Tick icon="question" label="Uncertain" />;
    case "failed":
      return <Tick icon="alert" label="Not sent" />;
  }
}

function Tick({ icon, label }: { readonly icon: Parameters<typeof Icon>[0]["name"]; readonly label: string }) {
  return (
    <span className="tick" data-icon={icon} title={label}>
      <Icon name={icon} />
      <span className="visually-hidden">{label}</span>
    </span>
  );
}
