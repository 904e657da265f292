import type { Line, MessageFrame, User } from "@clustertalk/client";
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
import type { Chat, ChatStore } from "./lib/chat";
import { useChat } from "./lib/use-chat";
import { Avatar } from "./theme/avatar";
import { Icon } from "./theme/icon";

/** Text that a server takes which did not say how much it takes. */
const TEXT_BYTES = 4_096;
const NO_LINES: readonly Line[] = [];

type Drawer = "rooms" | "members" | null;

export function App({ store }: { readonly store: ChatStore }) {
  const chat = useChat(store);
  const [naming, setNaming] = useState(false);
  const picking = chat.user === null || naming;
  return (
    <>
      {chat.user !== null && <Room store={store} chat={chat} inert={naming} onRename={() => setNaming(true)} />}
      {picking && (
        <NamePicker
          current={chat.user}
          onPick={(name) => {
            setNaming(false);
            store.name(name);
          }}
          onCancel={() => setNaming(false)}
        />
      )}
    </>
  );
}

interface RoomProps {
  readonly store: ChatStore;
  readonly chat: Chat;
  readonly inert: boolean;
  readonly onRename: () => void;
}

function Room({ store, chat, inert, onRename }: RoomProps) {
  const { status, active, user } = chat;
  const room = chat.rooms.get(active);
  const self = useMemo<User>(() => chat.self ?? { id: user ?? "", name: user ?? "" }, [chat.self, user]);
  const rooms = roomItems(chat);
  const ready = status.name === "online" && room?.state === "live";
  const [drawer, setDrawer] = useState<Drawer>(null);
  const [drafts, setDrafts] = useState<ReadonlyMap<string, string>>(new Map());
  const [answered, setAnswered] = useState<ReadonlyMap<string, MessageFrame>>(new Map());
  const input = useRef<HTMLTextAreaElement>(null);
  // A keystroke in the composer must not draw a thousand messages anew.
  const loadOlder = useCallback((before: number) => void store.room(active)?.history(before), [store, active]);
  const retry = useCallback((id: string) => store.room(active)?.retry(id), [store, active]);
  const discard = useCallback((id: string) => store.room(active)?.discard(id), [store, active]);
  const actions = useActions(store, active, (message) => {
    setAnswered((before) => new Map(before).set(active, message));
    input.current?.focus();
  });

  const answer = answered.get(active);

  function unquote(): void {
    setAnswered((before) => new Map([...before].filter(([room]) => room !== active)));
  }

  function send(text: string): void {
    void store.room(active)?.send(text, { ...(answer && { replyTo: answer }) });
    unquote();
  }

  function open(name: string): void {
    store.open(name);
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
          <Avatar name={self.name} />
          <p className="identity-name">
            {self.name}
            <span className="identity-state" data-status={status.name}>
              {status.name === "online" ? "online" : "not connected"}
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
            <button type="button" className="icon-button" aria-label={`Leave ${active}`} title="Leave the room" onClick={() => store.leave(active)}>
              <Icon name="leave" />
            </button>
          )}
          <button type="button" className="icon-button room-people only-medium" aria-label="Show members" onClick={() => setDrawer("members")}>
            <Icon name="people" />
            <span>{room?.membersCount ?? 0}</span>
          </button>
        </header>
        <Banner status={status} room={room} queued={chat.queued} onReconnect={store.reconnect} />
        <MessageList
          key={active}
          room={active}
          lines={room?.lines ?? NO_LINES}
          self={self}
          loading={room?.loading ?? false}
          ready={ready}
          actions={actions}
          onOlder={loadOlder}
          onRetry={retry}
          onDiscard={discard}
        />
        <div className="room-foot">
          <TypingLine users={room?.typing ?? []} />
          <Composer
            room={active}
            input={input}
            limit={chat.limits?.text_bytes ?? TEXT_BYTES}
            text={drafts.get(active) ?? ""}
            quote={answer === undefined ? null : { name: answer.user.name, text: answer.text }}
            onUnquote={unquote}
            onText={(text) => setDrafts(new Map(drafts).set(active, text))}
            onSend={send}
            onTyping={() => store.room(active)?.typing()}
          />
        </div>
      </main>

      <aside className="panel panel-members glass" aria-label="Presence">
        <button type="button" className="icon-button panel-close only-medium" aria-label="Close members" onClick={() => setDrawer(null)}>
          <Icon name="close" />
        </button>
        <MemberList members={room?.members ?? []} count={room?.membersCount ?? 0} self={self.id} />
      </aside>

      <button type="button" className="backdrop" aria-label="Close" tabIndex={-1} onClick={() => setDrawer(null)} />
      <Notices notices={chat.notices} onDismiss={store.dismiss} />
    </div>
  );
}

/** What can be done with a message of the open room; the same value as long as that is open. */
function useActions(store: ChatStore, room: string, onReply: (message: MessageFrame) => void): Actions {
  const reply = useRef(onReply);
  useEffect(() => {
    reply.current = onReply;
  });
  return useMemo(() => {
    return {
      reply: (message) => reply.current(message),
      edit: (message, text) => void store.room(room)?.edit(message, text),
      remove: (message) => void store.room(room)?.delete(message),
      react: (message, reaction, remove) =>
        void (remove ? store.room(room)?.unreact(message, reaction) : store.room(room)?.react(message, reaction)),
    };
  }, [store, room]);
}

/** The rooms that the server listed and those the user is in, in one list. */
function roomItems({ rooms, unread, active, listed, counted }: Chat): readonly RoomItem[] {
  const members = new Map([...listed, ...counted].map((room) => [room.room, room.members]));
  const names = new Set([...members.keys(), ...rooms.keys(), active]);
  return [...names].map((name) => ({
    name,
    members: rooms.get(name)?.membersCount || (members.get(name) ?? 0),
    unread: unread.get(name) ?? 0,
    joined: rooms.has(name),
  }));
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
