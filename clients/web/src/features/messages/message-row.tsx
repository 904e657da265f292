import {
  type Changes,
  type Command,
  type MessageFrame,
  type Quote,
  type Reaction,
  type Sending,
  type User,
  messageOf,
} from "@clustertalk/client";
import { memo, useRef, useState } from "react";
import { momentOf, timeOf } from "../../lib/clock";
import { hue } from "../../lib/names";
import { isFor } from "../../lib/unread";
import { Avatar } from "../../theme/avatar";
import { Icon } from "../../theme/icon";
import type { Actions } from "./actions";
import { MessageEditor } from "./message-editor";
import { MessageText } from "./message-text";
import { MessageTools } from "./message-tools";
import { QuoteLine } from "./quote-line";
import { ReactionBar } from "./reaction-bar";
import { Stuck } from "./stuck";

interface MessageProps {
  readonly message: MessageFrame;
  readonly changes: Changes;
  /** The user's own changes that are on their way: they show as if they had arrived. */
  readonly asked: readonly Command[];
  readonly quote: Quote | null;
  readonly self: User;
  readonly opens: boolean;
  readonly lost: boolean;
  readonly actions: Actions;
  readonly onRetry: (id: string) => void;
  readonly onDiscard: (id: string) => void;
}

export const MessageRow = memo(function MessageRow(props: MessageProps) {
  const { message, changes, asked, quote, self, opens, lost, actions, onRetry, onDiscard } = props;
  const { user, at, position } = message;
  const own = user.id === self.id;
  const shown = messageOf({ type: "message", key: message.id, message, changes, asked, quote, lost }, self);
  const { text, editedAt, moderation, reactions } = shown;
  const onTheWay = asked.filter(({ state }) => state !== "failed" && state !== "uncertain");
  const edit = onTheWay.findLast((command) => command.type === "edit");
  const deletion = onTheWay.find((command) => command.type === "delete");
  const masked = moderation?.action === "mask";
  const [editing, setEditing] = useState(false);
  const editButton = useRef<HTMLButtonElement>(null);

  function close(): void {
    setEditing(false);
    editButton.current?.focus();
  }

  return (
    <article
      className="message"
      data-own={own}
      data-opens={opens}
      data-lost={lost}
      data-masked={masked}
      data-for-me={!own && isFor({ ...message, text }, self.id)}
      data-leaving={deletion !== undefined}
    >
      <Author name={user.name} own={own} opens={opens} />
      <div className="bubble">
        {quote !== null && <QuoteLine quote={quote} />}
        {editing ? (
          <MessageEditor
            text={text}
            onSave={(next) => {
              actions.edit(message, next);
              close();
            }}
            onCancel={close}
          />
        ) : (
          <>
            {masked && <Icon name="shield" />}
            <MessageText text={text} />
            {masked && moderation.label !== undefined && <span className="message-label">{moderation.label}</span>}
          </>
        )}
        <span className="message-meta">
          {lost && <span className="message-state">lost by the server</span>}
          {editedAt !== null && <span title={momentOf(editedAt)}>edited</span>}
          <time dateTime={new Date(at).toISOString()} title={momentOf(at)}>
            {timeOf(at)}
          </time>
          {edit !== undefined && <Tick icon="clock" label="The edit is on its way" />}
          {deletion !== undefined && <Tick icon="clock" label="The deletion is on its way" />}
          {own && !lost && onTheWay.length === 0 && <Tick icon="checks" label={`Delivered as number ${position.seq}`} />}
        </span>
      </div>
      {!lost && (
        <MessageTools
          own={own}
          onModerate={actions.moderate === undefined ? null : () => actions.moderate?.(user)}
          editButton={editButton}
          onReact={(reaction) => actions.react(message, reaction, has(reactions, reaction, self))}
          onReply={() => actions.reply({ ...message, text })}
          onEdit={() => setEditing(true)}
          onRemove={() => actions.remove(message)}
          onReport={() => actions.report(message)}
        />
      )}
      {reactions.length > 0 && (
        <ReactionBar
          reactions={reactions}
          self={self.id}
          onReact={(reaction, remove) => actions.react(message, reaction, remove)}
        />
      )}
      {asked.map((command) => (
        <Stuck key={command.id} {...{ command, onRetry, onDiscard }} />
      ))}
    </article>
  );
});

function has(reactions: readonly Reaction[], reaction: string, self: User): boolean {
  return reactions.some((each) => each.reaction === reaction && each.users.some(({ id }) => id === self.id));
}

interface PendingProps {
  readonly command: Sending;
  readonly quote: Quote | null;
  readonly name: string;
  readonly opens: boolean;
  readonly onRetry: (id: string) => void;
  readonly onDiscard: (id: string) => void;
}

/** A message of the user's own that is not delivered back yet. */
export const PendingRow = memo(function PendingRow(props: PendingProps) {
  const { command, quote, name, opens, onRetry, onDiscard } = props;
  const { text, created_at_ms: at, state } = command;
  return (
    <article className="message" data-own="true" data-opens={opens} data-state={state}>
      <Author name={name} own opens={opens} />
      <div className="bubble">
        {quote !== null && <QuoteLine quote={quote} />}
        <MessageText text={text} />
        <span className="message-meta">
          <time dateTime={new Date(at).toISOString()}>{timeOf(at)}</time>
          <Progress command={command} />
        </span>
      </div>
      <Stuck {...{ command, onRetry, onDiscard }} />
    </article>
  );
});

function Author({ name, own, opens }: { readonly name: string; readonly own: boolean; readonly opens: boolean }) {
  if (!opens) return <h2 className="visually-hidden">{name}</h2>;
  return (
    <>
      {!own && <Avatar name={name} />}
      <h2 className={own ? "visually-hidden" : "message-author"} style={{ color: `hsl(${hue(name)} 90% 78%)` }}>
        {name}
      </h2>
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
