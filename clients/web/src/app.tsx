import type { Line, MessageFrame, Receipt, ReportReason, RoomSnapshot, User } from "@clustertalk/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import "./app.css";
import type { Actions } from "./features/messages/actions";
import { BarrierLine } from "./features/messages/barrier";
import { Composer } from "./features/messages/composer";
import { MessageList } from "./features/messages/message-list";
import { UnderMessages } from "./features/messages/under-messages";
import { type Measure, Moderate } from "./features/moderation/moderate";
import { Queue, type QueueActions } from "./features/moderation/queue";
import { Report } from "./features/moderation/report";
import { MemberList } from "./features/presence/member-list";
import { NewRoom } from "./features/rooms/new-room";
import { RoomForm } from "./features/rooms/room-form";
import { RoomHeading } from "./features/rooms/room-heading";
import { type RoomItem, RoomList } from "./features/rooms/room-list";
import { type RoomActions, RoomOptions } from "./features/rooms/room-options";
import { Banner } from "./features/session/banner";
import { NamePicker } from "./features/session/name-picker";
import { Notices } from "./features/session/notices";
import { SignInForm, type SignInReason } from "./features/session/sign-in";
import type { Chat, ChatStore, Identity } from "./lib/chat";
import { type RoomTitle, titleOf } from "./lib/names";
import { barred, outOf } from "./lib/sentences";
import { NOTHING_UNREAD } from "./lib/unread";
import { useChat } from "./lib/use-chat";
import { Avatar } from "./theme/avatar";
import { Icon } from "./theme/icon";

/** Text that a server takes which did not say how much it takes. */
const TEXT_BYTES = 4_096;
const NO_LINES: readonly Line[] = [];

type Drawer = "rooms" | "members" | null;

export function App({ store }: { readonly store: ChatStore }) {
  const chat = useChat(store);
  const { identity } = chat;
  const [asking, setAsking] = useState<"name" | "token" | null>(null);
  const because = whyToken(chat, asking);
  const begun = identity.by === "name" || (identity.by === "token" && (chat.self !== null || chat.rooms.size > 0));
  const picking = because === null && (asking === "name" || identity.by === "nothing");
  return (
    <>
      {begun && (
        <Room
          store={store}
          chat={chat}
          inert={picking || because !== null}
          onIdentity={() => (identity.by === "token" ? store.signOut() : setAsking("name"))}
          onSignIn={() => setAsking("token")}
        />
      )}
      {picking && (
        <NamePicker
          current={identity.by === "name" ? identity.name : null}
          onPick={(name) => {
            setAsking(null);
            store.name(name);
          }}
          onCancel={() => setAsking(null)}
          onToken={() => setAsking("token")}
        />
      )}
      {because !== null && (
        <SignInForm
          because={because}
          detail={because === "refused" && chat.status.name === "stopped" ? chat.status.message : null}
          onToken={(token) => {
            setAsking(null);
            store.token(token);
          }}
          onCancel={asking === "token" ? () => setAsking(null) : null}
        />
      )}
    </>
  );
}

/** Why a token is asked for; `null`: it is not. */
function whyToken({ identity, status, self }: Chat, asking: "name" | "token" | null): SignInReason | null {
  const wanted = identity.by === "token" && identity.wanted;
  if (status.name === "stopped" && status.code === UNAUTHORIZED && identity.by === "token") return "refused";
  if (wanted && status.name !== "online") return self === null ? "first" : "ended";
  if (asking !== "token") return null;
  return wanted ? "ends" : "instead";
}

interface RoomProps {
  readonly store: ChatStore;
  readonly chat: Chat;
  readonly inert: boolean;
  /** Another name, or out. */
  readonly onIdentity: () => void;
  readonly onSignIn: () => void;
}

function Room({ store, chat, inert, onIdentity, onSignIn }: RoomProps) {
  const { status, active, identity } = chat;
  const room = chat.rooms.get(active);
  const self = useMemo<User>(() => chat.self ?? userOf(identity), [chat.self, identity]);
  const rooms = roomItems(chat, self.id);
  const [publics, directs] = [rooms.filter(isNoConversation), rooms.filter((each) => !isNoConversation(each))];
  const title = titleIn(chat, active, self.id);
  const called = title.kind === "direct" ? title.name : `#${title.name}`;
  const ready = status.name === "online" && room?.state === "live";
  const moderates = title.kind !== "direct" && (room?.role === "moderator" || room?.role === "owner");
  const [drawer, setDrawer] = useState<Drawer>(null);
  const [dialog, setDialog] = useState<OpenDialog | null>(null);
  const [drafts, setDrafts] = useState<ReadonlyMap<string, string>>(new Map());
  const [answered, setAnswered] = useState<ReadonlyMap<string, MessageFrame>>(new Map());
  const input = useRef<HTMLTextAreaElement>(null);
  // A keystroke in the composer must not draw a thousand messages anew.
  const loadOlder = useCallback((before: number) => void store.room(active)?.history(before), [store, active]);
  const retry = useCallback((id: string) => store.room(active)?.retry(id), [store, active]);
  const discard = useCallback((id: string) => store.room(active)?.discard(id), [store, active]);
  const actions = useActions(store, active, moderates, {
    reply: (message) => {
      setAnswered((before) => new Map(before).set(active, message));
      input.current?.focus();
    },
    report: (message) => setDialog({ type: "report", message }),
    moderate: (user) => setDialog({ type: "moderate", user }),
  });

  const answer = answered.get(active);

  function unquote(): void {
    setAnswered((before) => new Map([...before].filter(([room]) => room !== active)));
  }

  function send(text: string): void {
    store.send(active, text, answer);
    unquote();
  }

  function open(name: string): void {
    store.open(name);
    setDrawer(null);
    input.current?.focus({ preventScroll: true });
  }

  function message(user: User): void {
    setDrawer(null);
    store.direct(user.id).catch(store.failed);
  }

  async function report({ user, id }: MessageFrame, reason: ReportReason, note: string): Promise<void> {
    await store.room(active)?.report({ user: user.id, id }, reason, note === "" ? undefined : note);
    store.done("The moderators are told.");
  }

  async function moderate(user: User, measure: Measure): Promise<void> {
    const handle = store.room(active);
    const undo = () => handle?.unban(user.id) ?? Promise.resolve();
    switch (measure.type) {
      case "kick":
        await handle?.kick(user.id);
        return store.done(`${user.name} was put out of ${called}.`);
      case "mute":
        await handle?.mute(user.id, measure.forMs);
        return store.done(`${user.name} only reads in ${called} now.`, undo);
      case "ban":
        await handle?.ban(user.id, measure.forMs);
        return store.done(`${user.name} is banned from ${called}.`, undo);
    }
  }

  useTitle(called, rooms);
  useShortcuts([...publics, ...directs], active, open, () => setDrawer(null), input);

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
        <div className="panel-scroll">
          <div className="rooms-title">
            <h2 className="eyebrow">Rooms</h2>
            <button type="button" className="icon-button" aria-label="New room" title="New room" onClick={() => setDialog({ type: "create" })}>
              <Icon name="plus" />
            </button>
          </div>
          <RoomList rooms={publics} active={active} onOpen={open} />
          {directs.length > 0 && (
            <>
              <div className="rooms-title">
                <h2 className="eyebrow">Direct messages</h2>
              </div>
              <RoomList rooms={directs} active={active} onOpen={open} />
            </>
          )}
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
          <button
            type="button"
            className="icon-button"
            aria-label={identity.by === "token" ? "Sign out" : "Change name"}
            title={identity.by === "token" ? "Sign out" : "Change name"}
            onClick={onIdentity}
          >
            <Icon name={identity.by === "token" ? "leave" : "edit"} />
          </button>
        </footer>
      </nav>

      <main className="panel panel-room glass">
        <header className="room-header">
          <button type="button" className="icon-button only-narrow" aria-label="Show rooms" onClick={() => setDrawer("rooms")}>
            <Icon name="menu" />
          </button>
          <RoomHeading title={title} room={room} />
          {moderates && (
            <button
              type="button"
              className="icon-button"
              aria-label="Room settings"
              title="Room settings"
              onClick={() => setDialog({ type: "options" })}
            >
              <Icon name="settings" />
            </button>
          )}
          {rooms.filter(({ joined }) => joined).length > 1 && (
            <button type="button" className="icon-button" aria-label={`Leave ${title.name}`} title="Leave the room" onClick={() => store.leave(active)}>
              <Icon name="leave" />
            </button>
          )}
          <button type="button" className="icon-button room-people only-medium" aria-label="Show members" onClick={() => setDrawer("members")}>
            <Icon name="people" />
            <span data-text={room?.membersCount ?? 0} />
          </button>
        </header>
        <Banner
          status={status}
          room={room}
          queued={chat.queued}
          endsAt={identity.by === "token" && identity.wanted ? chat.expiresAt : null}
          onReconnect={store.reconnect}
          onSignIn={onSignIn}
        />
        <MessageList
          key={active}
          room={title.name}
          lines={room?.lines ?? NO_LINES}
          self={self}
          loading={room?.loading ?? false}
          ready={ready}
          out={room?.out != null && room.state === "left"}
          actions={actions}
          onOlder={loadOlder}
          onRetry={retry}
          onDiscard={discard}
          onReached={store.reached}
        />
        <div className="room-foot">
          <UnderMessages typing={room?.typing ?? []} seenBy={room === undefined ? [] : seenBy(room, self.id)} />
          {room?.out != null && room.state === "left" ? (
            <BarrierLine reason={outOf(room.out, called)} action={{ label: "Try again", run: () => open(active) }} />
          ) : room?.barrier != null ? (
            <BarrierLine reason={barred(room.barrier, room.mutedUntil)} />
          ) : (
            <Composer
              room={called}
              input={input}
              limit={chat.limits?.text_bytes ?? TEXT_BYTES}
              text={drafts.get(active) ?? ""}
              quote={answer === undefined ? null : { name: answer.user.name, text: answer.text }}
              waitUntil={room === undefined || moderates ? 0 : slowUntil(room, self.id)}
              onUnquote={unquote}
              onText={(text) => setDrafts(new Map(drafts).set(active, text))}
              onSend={send}
              onTyping={() => store.room(active)?.typing()}
            />
          )}
        </div>
      </main>

      <aside className="panel panel-members glass" aria-label="Presence">
        <button type="button" className="icon-button panel-close only-medium" aria-label="Close members" onClick={() => setDrawer(null)}>
          <Icon name="close" />
        </button>
        <MemberList
          members={room?.members ?? []}
          count={room?.membersCount ?? 0}
          self={self.id}
          mayMessage={title.kind !== "direct"}
          mayModerate={moderates}
          onMessage={message}
          onModerate={(user) => setDialog({ type: "moderate", user })}
        />
      </aside>

      <button type="button" className="backdrop" aria-label="Close" tabIndex={-1} onClick={() => setDrawer(null)} />
      <Notices notices={chat.notices} onUndo={(notice) => void store.undo(notice)} onDismiss={store.dismiss} />
      {dialog?.type === "create" && <NewRoom onCreate={store.create} onClose={() => setDialog(null)} />}
      {dialog?.type === "options" && room !== undefined && (
        <RoomOptions title={called} room={room} actions={roomActions(store, active)} onClose={() => setDialog(null)}>
          <Queue actions={queueActions(store, active)} />
        </RoomOptions>
      )}
      {dialog?.type === "report" && (
        <Report
          author={dialog.message.user.name}
          onReport={(reason, note) => report(dialog.message, reason, note)}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog?.type === "moderate" && (
        <Moderate
          user={dialog.user}
          room={called}
          onMeasure={(measure) => moderate(dialog.user, measure)}
          onClose={() => setDialog(null)}
        />
      )}
    </div>
  );
}

type OpenDialog =
  | { readonly type: "create" | "options" }
  | { readonly type: "moderate"; readonly user: User }
  | { readonly type: "report"; readonly message: MessageFrame };

/** What the server closes with for want of a token that counts (codes.json). */
const UNAUTHORIZED = 4002;

function userOf(identity: Identity): User {
  const name = identity.by === "name" ? identity.name : "";
  return { id: name, name };
}

function isNoConversation({ title }: RoomItem): boolean {
  return title.kind !== "direct";
}

/** How a room is called; a conversation by the name of the other, where that is known. */
function titleIn({ rooms, listed, counted }: Chat, name: string, self: string): RoomTitle {
  const room = rooms.get(name);
  const summary = [...listed, ...counted].find((each) => each.room === name);
  const other = room?.settings.direct?.find((user) => user !== self) ?? summary?.with;
  const known = room?.members.find(({ id }) => id === other)?.name;
  const title = titleOf(name, other);
  return known === undefined ? title : { ...title, name: known };
}

/** Who has read the user's own newest message, while nothing was said after it. */
function seenBy({ messages, receipts }: RoomSnapshot, self: string): readonly Receipt[] {
  const last = messages.findLast(({ state }) => state === "delivered");
  if (last?.user.id !== self) return [];
  return receipts.filter(({ seq }) => seq >= (last.position?.seq ?? Infinity));
}

/** When a user may say the next thing in slow mode. */
function slowUntil({ messages, settings }: RoomSnapshot, self: string): number {
  if (settings.slowModeMs === 0) return 0;
  const last = messages.findLast(({ user, state }) => user.id === self && state === "delivered");
  return last === undefined ? 0 : last.at + settings.slowModeMs;
}

function roomActions(store: ChatStore, name: string): RoomActions {
  const room = store.room(name);
  const done = Promise.resolve();
  return {
    configure: (settings) => room?.configure(settings) ?? done,
    grant: (user, role) => room?.grant(user, role) ?? done,
    revoke: (user) => room?.revoke(user) ?? done,
    unban: (user) => room?.unban(user) ?? done,
    remove: () => room?.deleteRoom() ?? done,
  };
}

function queueActions(store: ChatStore, name: string): QueueActions {
  const room = store.room(name);
  return {
    load: () => store.waiting(name),
    dismiss: (message) => room?.dismiss(message) ?? Promise.resolve(),
    remove: async (message) => {
      await room?.delete(message);
    },
  };
}

/** What can be done with a message of the open room; the same value as long as that is open. */
function useActions(
  store: ChatStore,
  room: string,
  moderates: boolean,
  page: Pick<Required<Actions>, "reply" | "report" | "moderate">,
): Actions {
  const current = useRef(page);
  useEffect(() => {
    current.current = page;
  });
  return useMemo(() => {
    return {
      reply: (message) => current.current.reply(message),
      report: (message) => current.current.report(message),
      ...(moderates && { moderate: (user: User) => current.current.moderate(user) }),
      edit: (message, text) => void store.room(room)?.edit(message, text),
      remove: (message) => void store.room(room)?.delete(message),
      react: (message, reaction, remove) =>
        void (remove ? store.room(room)?.unreact(message, reaction) : store.room(room)?.react(message, reaction)),
    };
  }, [store, room, moderates]);
}

/** The rooms that the server listed and those the user is in, in one list. */
function roomItems(chat: Chat, self: string): readonly RoomItem[] {
  const { rooms, unread, active, listed, counted } = chat;
  const members = new Map([...listed, ...counted].map((room) => [room.room, room.members]));
  const joined = [...rooms.values()].filter(({ state }) => state !== "left").map(({ name }) => name);
  const names = new Set([...members.keys(), ...joined, active]);
  return [...names].map((name) => ({
    name,
    title: titleIn(chat, name, self),
    members: rooms.get(name)?.membersCount || (members.get(name) ?? 0),
    unread: unread.get(name) ?? NOTHING_UNREAD,
    joined: joined.includes(name),
  }));
}

function useTitle(called: string, rooms: readonly RoomItem[]): void {
  const unread = rooms.reduce((sum, room) => sum + room.unread.count, 0);
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${called} · ClusterTalk`;
  }, [called, unread]);
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
