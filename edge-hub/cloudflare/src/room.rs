//! One room on this edge: a task that feeds the core's room and performs what it asks for. What it
//! does and why is as on the native host; here it shares one thread with everything else.

use crate::{
    clock,
    connection::Connection,
    edge::Edge,
    redis::{Pool, StoreError},
    settings::Mode,
};
use clustertalk_core::{
    delivery::{
        self, Ephemeral, Notice, NoticeKind, Present, Publication, RoomPresence,
        room::{Effect, Input, Memory, ReadTicket, Ticket, Told},
    },
    ids::{Position, RoomName, Seq, User, UserId},
    protocol::{ErrorCode, ServerFrame},
    redis::{self as contract, CORRECTIONS},
    store::{Range, Stretch},
    time::Timestamp,
};
use futures_channel::{mpsc, oneshot};
use futures_util::{StreamExt, lock::OwnedMutexGuard};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};
use worker::{console_warn, wasm_bindgen_futures::spawn_local};

/// A room with a message in this time is active.
const ACTIVE: Duration = Duration::from_secs(60);
/// How often the log of an active room is compared with the cursor: a lost publication that no
/// other follows is found by this.
const CHECK_ACTIVE: Duration = Duration::from_secs(2);
const CHECK_QUIET: Duration = Duration::from_secs(30);
/// A room without followers is forgotten after this time.
const LINGER: Duration = Duration::from_secs(10);
/// Publications that may wait for a room's task. What comes beyond is dropped: the next one that is
/// taken shows the gap, and the log fills it.
const WAITING: usize = 1024;

/// What a room's task is told.
pub enum Control {
    Attach {
        connection: Rc<Connection>,
        since: Option<Position>,
    },
    Detach {
        number: u64,
    },
    Published(Vec<u8>),
    /// A connection can take a page.
    Turn(Ticket, Turn),
    /// A read has ended; with it comes the turn of the connection that it was for.
    Read {
        ticket: ReadTicket,
        outcome: Result<Stretch, StoreError>,
        turn: Option<Turn>,
    },
    /// The subscription is confirmed.
    Subscribed,
    /// For everyone in the room.
    Notice(Notice),
    /// Publications may have been lost.
    Resync,
    /// It is time to look after itself.
    Tick,
}

/// Held by whoever sends a connection a page: one is in flight over all its rooms.
pub type Turn = OwnedMutexGuard<()>;

/// How to reach a room's task.
#[derive(Clone)]
pub struct RoomHandle {
    control: mpsc::UnboundedSender<Control>,
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Where the room stands; `None` until its log has been read.
    position: Cell<Option<Position>>,
    /// Publications that its task has not taken yet.
    waiting: Cell<usize>,
    /// Those who follow it without a WebSocket.
    interests: Cell<isize>,
    /// They wait until it stands elsewhere.
    news: RefCell<Vec<oneshot::Sender<()>>>,
}

impl RoomHandle {
    /// Opens a room. One that is `resumed` stands where it stood before this object's memory was
    /// lost, with those who followed it there.
    pub fn open(
        edge: &Rc<Edge>,
        name: RoomName,
        resumed: Option<(Position, Vec<Rc<Connection>>)>,
    ) -> Self {
        let (control, inbox) = mpsc::unbounded();
        let handle = Self {
            control,
            shared: Rc::default(),
        };
        let now = clock::now();
        let limits = &edge.settings.deployment.hub.limits;
        let (room, followers) = match resumed {
            Some((position, followers)) => (
                delivery::Room::resumed(name.clone(), limits, Memory::default(), position),
                followers,
            ),
            None => (
                delivery::Room::new(name.clone(), limits, Memory::default()),
                Vec::new(),
            ),
        };
        handle.stands(room.position());
        let task = Room {
            edge: Rc::downgrade(edge),
            pool: Rc::clone(&edge.imports.pool),
            name,
            handle: handle.clone(),
            room,
            followers: followers
                .into_iter()
                .map(|connection| (connection.number, connection))
                .collect(),
            attaching: HashMap::new(),
            presence: RoomPresence::default(),
            active_at: now,
            checked_at: now,
            needed_at: now,
        };
        spawn_local(task.run(inbox));
        handle
    }

    pub fn tell(&self, control: Control) {
        if let Control::Published(_) = control {
            if self.shared.waiting.get() >= WAITING {
                return;
            }
            self.shared.waiting.set(self.shared.waiting.get() + 1);
        }
        let _ = self.control.unbounded_send(control);
    }

    pub fn position(&self) -> Option<Position> {
        self.shared.position.get()
    }

    pub fn count_interest(&self, change: isize) {
        let interests = &self.shared.interests;
        interests.set(interests.get() + change);
    }

    /// Returns when the room stands beyond `seq`.
    pub async fn beyond(&self, seq: Seq) {
        while self.position().is_none_or(|position| position.seq <= seq) {
            let (news, wait) = oneshot::channel();
            self.shared.news.borrow_mut().push(news);
            if wait.await.is_err() {
                return;
            }
        }
    }

    fn stands(&self, position: Option<Position>) {
        if self.shared.position.replace(position) != position {
            for waiting in self.shared.news.take() {
                let _ = waiting.send(());
            }
        }
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }
}

struct Room {
    edge: Weak<Edge>,
    pool: Rc<Pool>,
    name: RoomName,
    handle: RoomHandle,
    room: delivery::Room,
    /// They have everything up to the cursor, and get what comes.
    followers: HashMap<u64, Rc<Connection>>,
    /// They are on the way there.
    attaching: HashMap<u64, Rc<Connection>>,
    presence: RoomPresence,
    active_at: Timestamp,
    checked_at: Timestamp,
    needed_at: Timestamp,
}

impl Room {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Control>) {
        let mut next = inbox.next().await;
        while let Some(command) = next {
            let Some(edge) = self.edge.upgrade() else {
                return;
            };
            self.commanded(&edge, command).await;
            next = if self.is_over(&edge) {
                // Unless somebody has just asked for the room.
                match inbox.try_recv() {
                    Ok(command) => Some(command),
                    Err(_) => return edge.forget(&self.name, &self.handle),
                }
            } else {
                inbox.next().await
            };
        }
    }

    /// Nobody has needed it for a while, and nobody is counted here in vain.
    fn is_over(&mut self, edge: &Edge) -> bool {
        let now = clock::now();
        let has_interests = self.handle.shared.interests.get() > 0;
        if has_interests || !self.followers.is_empty() || !self.attaching.is_empty() {
            self.needed_at = now;
        }
        let linger = match edge.settings.mode {
            Mode::Subscribe { .. } => LINGER,
            // The clock looks seldom.
            Mode::Poll { .. } => Duration::from_secs(1),
        };
        now.since(self.needed_at) > linger && self.presence.is_settled()
    }

    async fn commanded(&mut self, edge: &Rc<Edge>, command: Control) {
        match command {
            Control::Attach { connection, since } => {
                let reader = connection.number;
                self.followers.remove(&reader);
                self.attaching.insert(reader, connection);
                self.feed(Input::Attach { reader, since }, None).await;
            }
            Control::Detach { number: reader } => {
                self.followers.remove(&reader);
                self.attaching.remove(&reader);
                self.feed(Input::Detach { reader }, None).await;
            }
            Control::Published(payload) => {
                let waiting = &self.handle.shared.waiting;
                waiting.set(waiting.get() - 1);
                self.published(edge, &payload).await;
            }
            Control::Turn(ticket, turn) => self.feed(Input::Turn(ticket), Some(turn)).await,
            Control::Read {
                ticket,
                outcome,
                turn,
            } => {
                let input = self.answer(ticket, outcome);
                self.feed(input, turn).await;
            }
            Control::Subscribed => self.feed(Input::Subscribed, None).await,
            Control::Notice(notice) => {
                for connection in self.everyone() {
                    connection.notice(edge, notice.clone());
                }
            }
            Control::Resync => {
                // A notice may be among what was lost.
                self.presence.refresh_soon();
                self.feed(Input::Check, None).await;
            }
            Control::Tick => self.look_after(edge).await,
        }
        self.handle.stands(self.room.position());
    }

    async fn published(&mut self, edge: &Edge, payload: &[u8]) {
        match Publication::parse(payload) {
            Ok(Some(Publication::Entry(entry))) => {
                edge.changed(&self.name);
                self.feed(Input::Published(entry), None).await;
            }
            Ok(Some(Publication::Ephemeral(ephemeral))) => self.ephemeral(ephemeral),
            Ok(Some(Publication::Deleted)) => {
                self.presence = RoomPresence::default();
                self.feed(Input::Deleted, None).await;
            }
            Ok(None) => {}
            Err(error) => {
                // Whatever it was, the log has the truth.
                console_warn!("a publication in {} cannot be read: {error}", self.name);
                self.feed(Input::Check, None).await;
            }
        }
    }

    fn everyone(&self) -> impl Iterator<Item = &Rc<Connection>> {
        self.followers.values().chain(self.attaching.values())
    }

    fn answer(&self, ticket: ReadTicket, outcome: Result<Stretch, StoreError>) -> Input {
        match outcome {
            Ok(stretch) => Input::Loaded { ticket, stretch },
            Err(error) if error.is_unreadable() => {
                console_warn!("the log of {} cannot be read: {error}", self.name);
                Input::Damaged(ticket)
            }
            Err(error) => {
                console_warn!("a read in {} failed, it is tried again: {error}", self.name);
                Input::Failed(ticket)
            }
        }
    }

    /// Feeds one input and performs the effects. `turn` ends with it, unless a read takes it along.
    async fn feed(&mut self, input: Input, mut turn: Option<Turn>) {
        let mut effects = VecDeque::from(self.room.handle(input));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Read {
                    ticket,
                    range,
                    limit,
                    after,
                } => {
                    let turn = match ticket {
                        ReadTicket::Room => None,
                        ReadTicket::Reader(_) => turn.take(),
                    };
                    self.read(ticket, range, limit, after, turn);
                }
                Effect::AwaitTurn { ticket, after } => {
                    if let Some(now) = self.turn_now(ticket, after) {
                        let answers = self.room.handle(Input::Turn(ticket));
                        turn = Some(now);
                        for effect in answers.into_iter().rev() {
                            effects.push_front(effect);
                        }
                    } else {
                        self.await_turn(ticket, after);
                    }
                }
                Effect::Deliver(frame) => {
                    let encoded = frame.encode();
                    for connection in self.followers.values() {
                        connection.send(&encoded);
                    }
                    self.active_at = clock::now();
                }
                Effect::Tell(told) => {
                    self.read_members().await;
                    let frame = told.frame(&self.name, self.presence.members()).encode();
                    for connection in self.followers.values() {
                        connection.send(&frame);
                    }
                    self.active_at = clock::now();
                }
                Effect::Page { reader, told } => self.page(reader, &told).await,
                Effect::Refuse {
                    reader,
                    retry_after,
                } => {
                    if let Some(connection) = self.attaching.remove(&reader) {
                        let error = ServerFrame::error(ErrorCode::Unavailable)
                            .in_room(self.name.clone())
                            .retry_after(retry_after);
                        connection.refuse(error);
                    }
                }
                Effect::Follow { reader } => {
                    if let Some(connection) = self.attaching.remove(&reader) {
                        connection.follows(&self.name);
                        self.followers.insert(reader, connection);
                    }
                }
            }
        }
        if let Some((edge, position)) = self.edge.upgrade().zip(self.room.position()) {
            edge.stands(&self.name, position);
        }
    }

    fn read(
        &mut self,
        ticket: ReadTicket,
        range: Range,
        limit: usize,
        after: Duration,
        turn: Option<Turn>,
    ) {
        if ticket == ReadTicket::Room {
            self.checked_at = clock::now();
        }
        let (pool, name, handle) = (
            Rc::clone(&self.pool),
            self.name.clone(),
            self.handle.clone(),
        );
        spawn_local(async move {
            clock::sleep(after).await;
            let outcome = pool.read(&name, range, limit).await;
            handle.tell(Control::Read {
                ticket,
                outcome,
                turn,
            });
        });
    }

    /// The turn of a connection that can take a page at once.
    fn turn_now(&self, ticket: Ticket, after: Duration) -> Option<Turn> {
        let connection = self.attaching.get(&ticket.reader)?;
        if !after.is_zero() || !connection.can_take_page() {
            return None;
        }
        connection.turn.try_lock_owned()
    }

    fn await_turn(&self, ticket: Ticket, after: Duration) {
        let Some(connection) = self.attaching.get(&ticket.reader).cloned() else {
            return;
        };
        let handle = self.handle.clone();
        spawn_local(async move {
            clock::sleep(after).await;
            let turn = Arc::clone(&connection.turn).lock_owned().await;
            connection.drained().await;
            handle.tell(Control::Turn(ticket, turn));
        });
    }

    async fn page(&mut self, reader: u64, told: &Told) {
        if told.is_joined && self.presence.is_stale(clock::now()) {
            self.read_members().await;
        }
        let Some(connection) = self.attaching.get(&reader) else {
            return;
        };
        if told.is_joined
            && let Some(user) = connection.user()
        {
            self.presence.note(&user);
        }
        let frame = told.frame(&self.name, self.presence.members());
        connection.send(&frame.encode());
    }

    async fn read_members(&mut self) {
        let members = self.pool.members(&self.name).await;
        if let Err(error) = &members {
            console_warn!("cannot read the members of {}: {error}", self.name);
        }
        self.presence.read(clock::now(), members.ok());
    }

    fn ephemeral(&mut self, ephemeral: Ephemeral) {
        match ephemeral {
            Ephemeral::Frame { from, frame } => {
                let others = self
                    .followers
                    .values()
                    .filter(|connection| connection.id != from);
                for connection in others {
                    connection.send(&frame);
                }
            }
            Ephemeral::Presence {
                user,
                joined,
                members_count,
                ..
            } => {
                self.presence.changed(user, joined, members_count);
                self.announce_presence();
            }
        }
    }

    fn announce_presence(&mut self) {
        for frame in self.presence.due(clock::now(), &self.name) {
            let encoded = frame.encode();
            for connection in self.followers.values() {
                connection.send(&encoded);
            }
        }
    }

    async fn look_after(&mut self, edge: &Rc<Edge>) {
        self.announce_presence();
        let now = clock::now();
        let every = match edge.settings.mode {
            Mode::Subscribe { .. } if now.since(self.active_at) < ACTIVE => CHECK_ACTIVE,
            Mode::Subscribe { .. } => CHECK_QUIET,
            // The only way to learn of what others append.
            Mode::Poll { .. } => Duration::ZERO,
        };
        if now.since(self.checked_at) >= every {
            self.feed(Input::Check, None).await;
        }
        if self.presence.refresh_is_due(now) {
            let users: Vec<User> = self.everyone().filter_map(|one| one.user()).collect();
            let present: Present<'_> = users.iter().collect();
            let refreshed = self.refresh(&present).await;
            self.presence.refreshed(refreshed.is_err());
            match refreshed {
                Ok(unwelcome) => {
                    for user in unwelcome {
                        self.ask_again(edge, &user);
                    }
                }
                Err(error) => {
                    console_warn!("cannot refresh the presence in {}: {error}", self.name);
                }
            }
        }
    }

    /// Keeps this edge's members alive, puts right whom Redis counts among them in vain or does
    /// not count, and lets the members of dead edges leave. Answers who may not be there any more.
    async fn refresh(&mut self, present: &Present<'_>) -> Result<Vec<UserId>, StoreError> {
        let (pool, name) = (Rc::clone(&self.pool), &self.name);
        let (held, unwelcome) = pool.refresh_presence(name).await?;
        if self.presence.begin_audit(held, present) {
            let rows = pool.attendance(name).await?;
            let corrections = self.presence.compare(held, &rows, present);
            for corrections in corrections.chunks(CORRECTIONS) {
                pool.correct_presence(name, corrections).await?;
            }
        }
        let count = pool.presence(name, contract::Presence::Sweep).await?;
        pool.call(&contract::count_room(&pool.keyspace, name, count))
            .await?;
        Ok(unwelcome)
    }

    /// Has the hubs of a user's connections look whether he may be here: it seems that he may not.
    fn ask_again(&self, edge: &Rc<Edge>, user: &UserId) {
        let notice = Notice::new(
            NoticeKind::Changed,
            Some(self.name.clone()),
            Some(user.clone()),
        );
        for connection in self.everyone() {
            if connection.user().is_some_and(|found| found.id == *user) {
                connection.notice(edge, notice.clone());
            }
        }
    }
}
