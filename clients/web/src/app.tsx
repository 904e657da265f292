import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import "./app.css";
import type { Actions } from "./features/messages/actions";
import { Composer } from "./features/messages/composer";
import { MessageList } from "./features/messages/message-list";
import { TypingLine } from "./features/messages/typing-line";
import { MemberList } from "./features/presence/member-list";
import { RoomForm } from "./features/rooms/room-form";
import { type RoomItem, RoomList } from "./features/rooms/room-list";
import { Banner } from "./features/session/banner";
import { NamePicker } from "./features/session/name-picker";
import { Notices } from "./features/session/notices";
import { type Chat, type ChatClient, viewOf } from "./lib/client";
import { useChat } from "./lib/use-chat";
import type { MessageFrame } from "./protocol/frames";
import { Avatar } from "./theme/avatar";
import { Icon } from "./theme/icon";

/** Text that a server takes which did not say how much it takes. */
const TEXT_BYTES = 4_096;

type Drawer = "rooms" | "members" | null;

export function App({ client }: { readonly client: ChatClient }) {
  const chat = useChat(client);
  const [naming, setNaming] = useState(false);
  const picking = chat.user === null || naming;
  return (
    <>
      {chat.user !== null && <Room client={client} chat={chat} inert={naming} onRename={() => setNaming(true)} />}
      {picking && (
        <NamePicker
          current={chat.user}
          onPick={(name) => {
            setNaming(false);
            client.name(name);
          }}
          onCancel={() => setNaming(false)}
        />
      )}
    </>
  );
}

interface RoomProps {
  readonly client: ChatClient;
  readonly chat: Chat;
  readonly inert: boolean;
  readonly onRename: () => void;
}

function Room({ client, chat, inert, onRename }: RoomProps) {
  const { state, active } = chat;
  const view = viewOf(chat);
  const room = state.rooms.get(active);
  const self = state.self?.id ?? chat.user;
  const rooms = roomItems(chat);
  const ready = state.phase.name === "live" && room?.phase.name === "live";
  const [drawer, setDrawer] = useState<Drawer>(null);
  const [drafts, setDrafts] = useState<ReadonlyMap<string, string>>(new Map());
  const [answered, setAnswered] = useState<ReadonlyMap<string, MessageFrame>>(new Map());
  const input = useRef<HTMLTextAreaElement>(null);
  // A keystroke in the composer must not draw a thousand messages anew.
  const commands = useMemo(
    () => state.outbox.commands.filter((command) => command.room === active),
    [state.outbox, active],
  );
  const loadOlder = useCallback(
    (before: number) => client.ask({ type: "history", room: active, before }),
    [client, active],
  );
  const retry = useCallback((id: string) => client.ask({ type: "retry", id }), [client]);
  const actions = useActions(client, active, (message) => {
    setAnswered((before) => new Map(before).set(active, message));
    input.current?.focus();
  });
  const discard = useCallback((id: string) => client.ask({ type: "discard", id }), [client]);

  const answer = answered.get(active);

  function unquote(): void {
    setAnswered((before) => new Map([...before].filter(([room]) => room !== active)));
  }

  function send(text: string): void {
    const reply_to = answer && { user: answer.user.id, id: answer.id };
    client.request(active, { type: "send", text, ...(reply_to && { reply_to }) });
    unquote();
  }

  function open(name: string): void {
    client.open(name);
    setDrawer(null);
    input.current?.focus({ preventScroll: true });
  }

  useTitle(active, rooms);
  useShortcuts(rooms, active, open, () => setDrawer(null), input);

  return (
    <div className="app" data-drawer={drawer ?? "none"} inert={inert}>
      <nav className="panel panel-rooms glass" aria-label="Rooms">
        <header className="brand">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          <p>
            Cluster<b>Talk</b>
          </p>
          <button type="button" className="icon-button only-narrow" aria-label="Close rooms" onClick={() => setDrawer(null)}>
            <Icon name="close" />
          </button>
        </header>
        <h2 className="eyebrow">Rooms</h2>
        <div className="panel-scroll">
          <RoomList rooms={rooms} active={active} onOpen={open} />
        </div>
        <RoomForm onJoin={open} />
        <footer className="identity">
          <Avatar name={self ?? "?"} />
          <p className="identity-name">
            {state.self?.name ?? chat.user}
            <span className="identity-state" data-phase={state.phase.name}>
              {state.phase.name === "live" ? "online" : "not connected"}
            </span>
          </p>
          <button type="button" className="icon-button" aria-label="Change name" onClick={onRename}>
            <Icon name="edit" />
          </button>
        </footer>
      </nav>

      <main className="panel panel-room glass">
        <header className="room-header">
          <button type="button" className="icon-button only-narrow" aria-label="Show rooms" onClick={() => setDrawer("rooms")}>
            <Icon name="menu" />
          </button>
          <h1 className="room-title">
            <span aria-hidden="true">#</span>
            {active}
          </h1>
          {rooms.filter(({ joined }) => joined).length > 1 && (
            <button type="button" className="icon-button" aria-label={`Leave ${active}`} title="Leave the room" onClick={() => client.leave(active)}>
              <Icon name="leave" />
            </button>
          )}
          <button type="button" className="icon-button room-people only-medium" aria-label="Show members" onClick={() => setDrawer("members")}>
            <Icon name="people" />
            <span>{view.membersCount}</span>
          </button>
        </header>
        <Banner state={state} room={active} onReconnect={() => client.ask({ type: "reconnect" })} />
        <MessageList
          key={active}
          room={active}
          timeline={view.timeline}
          commands={commands}
          self={self}
          loading={room?.older != null}
          ready={ready}
          actions={actions}
          onOlder={loadOlder}
          onRetry={retry}
          onDiscard={discard}
        />
        <div className="room-foot">
          <TypingLine users={view.typing.map(({ user }) => user).filter(({ id }) => id !== self)} />
          <Composer
            room={active}
            input={input}
            limit={state.limits?.text_bytes ?? TEXT_BYTES}
            text={drafts.get(active) ?? ""}
            quote={answer === undefined ? null : { name: answer.user.name, text: answer.text }}
            onUnquote={unquote}
            onText={(text) => setDrafts(new Map(drafts).set(active, text))}
            onSend={send}
            onTyping={() => client.ask({ type: "typing", room: active })}
          />
        </div>
      </main>

      <aside className="panel panel-members glass" aria-label="Presence">
        <button type="button" className="icon-button panel-close only-medium" aria-label="Close members" onClick={() => setDrawer(null)}>
          <Icon name="close" />
        </button>
        <MemberList members={view.members} count={view.membersCount} self={self} />
      </aside>

      <button type="button" className="backdrop" aria-label="Close" tabIndex={-1} onClick={() => setDrawer(null)} />
      <Notices notices={chat.notices} onDismiss={client.dismiss} />
    </div>
  );
}

/** What can be done with a message of the open room; the same value as long as that is open. */
function useActions(client: ChatClient, room: string, onReply: (message: MessageFrame) => void): Actions {
  const reply = useRef(onReply);
  useEffect(() => {
    reply.current = onReply;
  });
  return useMemo(() => {
    const named = ({ user, id }: MessageFrame) => ({ user: user.id, id });
    return {
      reply: (message) => reply.current(message),
      edit: (message, text) => client.request(room, { type: "edit", target: named(message), text }),
      remove: (message) => client.request(room, { type: "delete", target: named(message) }),
      react: (message, reaction, remove) =>
        client.request(room, { type: "react", target: named(message), reaction, ...(remove && { remove }) }),
    };
  }, [client, room]);
}

/** The rooms that the server listed and those the user is in, in one list. */
function roomItems({ state, views, active, listed: counted }: Chat): readonly RoomItem[] {
  const listed = new Map([...state.listed, ...counted].map(({ room, members }) => [room, members]));
  const names = new Set([...listed.keys(), ...state.rooms.keys(), active]);
  return [...names].map((name) => {
    const view = views.get(name);
    return {
      name,
      members: view?.membersCount ?? listed.get(name) ?? 0,
      unread: view?.unread ?? 0,
      joined: state.rooms.has(name),
    };
  });
}

function useTitle(active: string, rooms: readonly RoomItem[]): void {
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}#${active} · ClusterTalk`;
  }, [active, unread]);
}

/** Alt with an arrow goes through the rooms, `/` to the composer, Escape closes what is open. */
function useShortcuts(
  rooms: readonly RoomItem[],
  active: string,
  open: (room: string) => void,
  close: () => void,
  input: React.RefObject<HTMLTextAreaElement | null>,
): void {
  useEffect(() => {
    function pressed(event: KeyboardEvent): void {
      if (event.key === "Escape") return close();
      if (event.key === "/" && !isWriting(event.target)) {
        event.preventDefault();
        return input.current?.focus();
      }
      const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
      if (!event.altKey || by === 0) return;
      event.preventDefault();
      const here = rooms.findIndex(({ name }) => name === active);
      const next = rooms[(here + by + rooms.length) % rooms.length];
      if (next !== undefined) open(next.name);
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  });
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}
