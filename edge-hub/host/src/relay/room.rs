//! One room on this edge: a task that feeds the core's room and performs what it asks for.

mod presence;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clustertalk_core::{
    delivery::{
        self, Ephemeral, Notice, NoticeKind, Publication, RoomPresence,
        room::{Effect, Input, Memory, ReadTicket, Ticket, Told},
    },
    ids::{Position, RoomName, UserId},
    protocol::EntryFrame,
    store::{Range, Stretch},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{Figures, Follower, Relay, RoomHandle};
use crate::{clock, queue::DEFAULT_QUEUE_BYTES, store::StoreError, traces, websocket::encode_text};

/// How often a room looks after itself.
const TICK: Duration = Duration::from_secs(1);
/// A room with a message in this time is active.
const ACTIVE: Duration = Duration::from_secs(60);
/// How often the log of an active room is compared with the cursor: a lost publication that no
/// other follows is found by this.
const CHECK_ACTIVE: Duration = Duration::from_secs(2);
const CHECK_QUIET: Duration = Duration::from_secs(30);
/// A room without followers is forgotten after this time.
const LINGER: Duration = Duration::from_secs(10);
/// The same for a room whose log cannot be read; those who were told to come back do so earlier.
const UNREADABLE_LINGER: Duration = Duration::from_secs(60);
/// Bytes in a connection's queue up to which it is given a page at once. With the page that is half
/// of what a queue takes: live messages of other rooms need place as well.
const QUEUE_BYTES: usize = DEFAULT_QUEUE_BYTES / 4;
/// Bytes of newest entries kept on this edge over all rooms. Above it each room gives most of its
/// own back.
const CACHED_BYTES: usize = 64 << 20;

/// Bytes of newest entries that all rooms hold.
static CACHED: AtomicUsize = AtomicUsize::new(0);

/// What a room's task is told.
pub enum Control {
    Attach {
        follower: Follower,
        since: Option<Position>,
    },
    Detach {
        number: u64,
    },
    /// A connection can take a page.
    Turn(Ticket, Turn),
    /// A read has ended; with it comes the turn of the connection that it was for.
    Read {
        ticket: ReadTicket,
        outcome: Result<Stretch, StoreError>,
        turn: Option<Turn>,
    },
    /// For everyone in the room.
    Notice(Arc<str>),
    /// Publications may have been lost.
    Resync,
}

/// Held by whoever sends a connection a page: one is in flight over all its rooms.
pub type Turn = OwnedSemaphorePermit;

pub struct Room {
    relay: Arc<Relay>,
    name: RoomName,
    handle: RoomHandle,
    room: delivery::Room,
    /// They have everything up to the cursor, and get what comes.
    followers: HashMap<u64, Follower>,
    /// They are on the way there.
    attaching: HashMap<u64, Follower>,
    /// What `room` holds of [`CACHED`].
    cached: usize,
    presence: RoomPresence,
    active_at: Instant,
    checked_at: Instant,
    needed_at: Instant,
}

impl Room {
    pub fn new(relay: Arc<Relay>, name: RoomName, handle: RoomHandle) -> Self {
        let now = Instant::now();
        let room = delivery::Room::new(name.clone(), relay.store.limits(), Memory::default());
        Self {
            relay,
            name,
            handle,
            room,
            followers: HashMap::new(),
            attaching: HashMap::new(),
            cached: 0,
            presence: RoomPresence::default(),
            active_at: now,
            checked_at: now,
            needed_at: now,
        }
    }

    pub async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Control>,
        mut publications: mpsc::Receiver<Arc<[u8]>>,
    ) {
        self.relay.subscriber.subscribe(&self.name).await;
        self.feed(Input::Subscribed, None).await;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What is published first: a follower that attaches now stands at its end.
                biased;
                Some(payload) = publications.recv() => self.published(&payload).await,
                Some(command) = commands.recv() => self.commanded(command).await,
                _ = ticks.tick() => {
                    self.look_after().await;
                    // After it nobody looks whom Redis counts here in vain.
                    let over = self.needed_at.elapsed() > self.linger() && self.presence.is_settled();
                    if over && self.retire(&commands) {
                        return;
                    }
                }
            }
        }
    }

    async fn published(&mut self, payload: &[u8]) {
        match Publication::parse(payload) {
            Ok(Some(Publication::Entry(entry))) => self.feed(Input::Published(entry), None).await,
            Ok(Some(Publication::Ephemeral(ephemeral))) => self.ephemeral(ephemeral),
            Ok(Some(Publication::Deleted)) => {
                self.presence = RoomPresence::default();
                self.feed(Input::Deleted, None).await;
            }
            Ok(None) => {}
            Err(error) => {
                // Whatever it was, the log has the truth.
                tracing::warn!(room = %self.name, %error, "a publication cannot be read");
                self.feed(Input::Check, None).await;
            }
        }
    }

    async fn commanded(&mut self, command: Control) {
        match command {
            Control::Attach { follower, since } => {
                let reader = follower.number;
                self.followers.remove(&reader);
                self.attaching.insert(reader, follower);
                self.feed(Input::Attach { reader, since }, None).await;
            }
            Control::Detach { number: reader } => {
                self.followers.remove(&reader);
                self.attaching.remove(&reader);
                self.feed(Input::Detach { reader }, None).await;
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
            Control::Notice(notice) => {
                for follower in self.everyone() {
                    follower.mailbox.put(Arc::clone(&notice));
                }
            }
            Control::Resync => {
                // A notice may be among what was lost.
                self.presence.refresh_soon();
                self.feed(Input::Check, None).await;
            }
        }
        self.note_need();
    }

    fn everyone(&self) -> impl Iterator<Item = &Follower> {
        self.followers.values().chain(self.attaching.values())
    }

    fn answer(&self, ticket: ReadTicket, outcome: Result<Stretch, StoreError>) -> Input {
        match outcome {
            Ok(stretch) => {
                self.relay.note_readable(&self.name);
                Input::Loaded { ticket, stretch }
            }
            Err(error) if error.is_unreadable() => {
                self.relay.note_unreadable(&self.name, &error);
                Input::Damaged(ticket)
            }
            Err(error) => {
                tracing::warn!(room = %self.name, %error, "a read failed; it is tried again");
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
                        answers
                            .into_iter()
                            .rev()
                            .for_each(|effect| effects.push_front(effect));
                    } else {
                        self.await_turn(ticket, after);
                    }
                }
                Effect::Deliver(frame) => self.deliver(frame),
                Effect::Tell(told) => self.tell(&told).await,
                Effect::Page { reader, told } => self.page(reader, &told).await,
                Effect::Refuse {
                    reader,
                    retry_after,
                } => {
                    if let Some(follower) = self.attaching.remove(&reader) {
                        follower.refuse(&self.name, retry_after);
                    }
                }
                Effect::Follow { reader } => {
                    if let Some(follower) = self.attaching.remove(&reader) {
                        self.followers.insert(reader, follower);
                    }
                }
            }
        }
        self.moved();
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
            Figures::count(&self.relay.figures.fetches, 1);
            self.checked_at = Instant::now();
        }
        let relay = Arc::clone(&self.relay);
        let room = self.name.clone();
        let control = self.handle.control.clone();
        tokio::spawn(async move {
            sleep(after).await;
            // Live delivery must not starve behind those who are far behind.
            let _permit = match ticket {
                ReadTicket::Room => None,
                ReadTicket::Reader(_) => Some(relay.catching_up.acquire().await),
            };
            let outcome = relay.store.read(&room, range, limit).await;
            let _ = control.send(Control::Read {
                ticket,
                outcome,
                turn,
            });
        });
    }

    /// The turn of a connection that can take a page at once.
    fn turn_now(&self, ticket: Ticket, after: Duration) -> Option<Turn> {
        let follower = self.attaching.get(&ticket.reader)?;
        if !after.is_zero() || follower.queue.bytes() > QUEUE_BYTES {
            return None;
        }
        Arc::clone(&follower.turn).try_acquire_owned().ok()
    }

    fn await_turn(&self, ticket: Ticket, after: Duration) {
        let Some(follower) = self.attaching.get(&ticket.reader).cloned() else {
            return;
        };
        let control = self.handle.control.clone();
        tokio::spawn(async move {
            sleep(after).await;
            let Ok(turn) = Arc::clone(&follower.turn).acquire_owned().await else {
                return;
            };
            // A connection that is gone needs no page.
            if follower.queue.drained().await.is_ok() {
                let _ = control.send(Control::Turn(ticket, turn));
            }
        });
    }

    async fn page(&mut self, reader: u64, told: &Told) {
        if !self.attaching.contains_key(&reader) {
            return;
        }
        if told.is_joined && self.presence.is_stale(clock::steady()) {
            presence::read(&mut self.presence, &self.relay.store, &self.name).await;
        }
        let Some(follower) = self.attaching.get(&reader) else {
            return;
        };
        if told.is_joined {
            self.presence.note(&follower.user);
        }
        let frame = told.frame(&self.name, self.presence.members());
        follower.queue.push(encode_text(&frame.encode()));
    }

    /// A new truth: what was read of the members may be as old as what was read of the log.
    async fn tell(&mut self, told: &Told) {
        if told.catch.reason == Some(delivery::Reason::Diverged) {
            Figures::count(&self.relay.figures.diverged, 1);
            tracing::warn!(room = %self.name, "the log is another one: a failover lost its tail");
        }
        presence::read(&mut self.presence, &self.relay.store, &self.name).await;
        let frame = told.frame(&self.name, self.presence.members());
        let encoded = encode_text(&frame.encode());
        for follower in self.followers.values() {
            follower.queue.push(encoded.clone());
        }
        self.active_at = Instant::now();
    }

    /// Encodes once, queues for each follower.
    fn deliver(&mut self, frame: EntryFrame) {
        let begun = traces::delivering();
        let encoded = encode_text(&frame.encode());
        for follower in self.followers.values() {
            follower.queue.push(encoded.clone());
        }
        Figures::count(&self.relay.figures.deliveries, self.followers.len());
        if let (Some(begun), EntryFrame::Message(message)) = (begun, &frame) {
            let (room, user, id) = (
                self.name.as_str(),
                message.user.id.as_str(),
                message.id.as_str(),
            );
            let followers = self.followers.len();
            traces::delivered(begun, room, user, id, message.position.seq, followers);
        }
        self.relay.statistics.note(&self.name);
        self.active_at = Instant::now();
    }

    fn ephemeral(&mut self, ephemeral: Ephemeral) {
        match ephemeral {
            Ephemeral::Frame { from, frame } => {
                let encoded = encode_text(&frame);
                let others = self
                    .followers
                    .values()
                    .filter(|follower| *follower.id != *from);
                for follower in others {
                    follower.queue.push(encoded.clone());
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
        for frame in self.presence.due(clock::steady(), &self.name) {
            let encoded = encode_text(&frame.encode());
            for follower in self.followers.values() {
                follower.queue.push(encoded.clone());
            }
        }
    }

    async fn look_after(&mut self) {
        self.note_need();
        self.announce_presence();
        let every = if self.active_at.elapsed() < ACTIVE {
            CHECK_ACTIVE
        } else {
            CHECK_QUIET
        };
        if self.checked_at.elapsed() >= every {
            self.feed(Input::Check, None).await;
        }
        if self.presence.refresh_is_due(clock::steady()) {
            let everyone = self.followers.values().chain(self.attaching.values());
            let present = everyone.map(|follower| &follower.user).collect();
            let unwelcome =
                presence::refresh(&mut self.presence, &self.relay, &self.name, &present).await;
            for user in unwelcome {
                self.ask_again(user);
            }
        }
    }

    /// Has the hubs of a user's connections look whether he may be here: it seems that he may not.
    fn ask_again(&self, user: UserId) {
        let notice = Notice::new(
            NoticeKind::Changed,
            Some(self.name.clone()),
            Some(user.clone()),
        );
        let notice: Arc<str> = notice.encode().into();
        for follower in self.everyone().filter(|follower| follower.user.id == user) {
            follower.mailbox.put(Arc::clone(&notice));
        }
    }

    /// How long the room is kept though nobody is in it.
    fn linger(&self) -> Duration {
        match self.room.position() {
            Some(_) => LINGER,
            None => UNREADABLE_LINGER,
        }
    }

    fn note_need(&mut self) {
        if !self.followers.is_empty() || !self.attaching.is_empty() {
            self.needed_at = Instant::now();
        }
    }

    /// The room may stand elsewhere, and hold more or less.
    fn moved(&mut self) {
        *self
            .handle
            .position
            .write()
            .unwrap_or_else(PoisonError::into_inner) = self.room.position();
        self.count_cached();
        if CACHED.load(Ordering::Relaxed) > CACHED_BYTES {
            self.room.shrink_cache();
            self.count_cached();
        }
    }

    fn count_cached(&mut self) {
        let bytes = self.room.cached_bytes();
        CACHED.fetch_add(bytes, Ordering::Relaxed);
        CACHED.fetch_sub(self.cached, Ordering::Relaxed);
        self.cached = bytes;
    }

    /// Ends the task unless somebody has just asked for the room.
    fn retire(&self, commands: &mpsc::UnboundedReceiver<Control>) -> bool {
        let mut rooms = self.relay.rooms();
        if !commands.is_empty() {
            return false;
        }
        self.relay.forget(&mut rooms, &self.name);
        true
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        CACHED.fetch_sub(self.cached, Ordering::Relaxed);
    }
}
