//! Rooms on this edge: one subscription and one cursor each, however many connections follow it.
//!
//! A room is a task ([`room`]) that owns its followers and feeds the core's room, which decides what
//! each is told, so nothing here is locked while messages go out. [`subscriber`] holds the one connection that publications come by, and proves
//! every half second that it is alive.

mod mailbox;
mod room;
mod statistics;
mod subscriber;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use clustertalk_core::{
    delivery::{Concern, Notice, Publication},
    ids::{Position, RoomName, User, UserId},
    protocol::{CloseCode, ErrorCode, ServerFrame},
};
use tokio::sync::{Semaphore, mpsc};

pub use self::mailbox::{Mailbox, Registration};
use self::{
    mailbox::Directory,
    room::{Control, Room},
    statistics::Statistics,
    subscriber::Subscriber,
};
use crate::{
    queue::Queue,
    store::{Store, StoreError},
    webhooks::Webhooks,
    websocket::encode_text,
};

/// Publications that may wait for a room's task. What comes beyond is dropped: the next one that
/// is taken shows the gap, and the log fills it.
const WAITING: usize = 1024;
/// Catch-up reads from Redis at a time; live delivery must not starve.
const CATCH_UPS: usize = 64;

/// All rooms that this edge follows.
pub struct Relay {
    store: Store,
    rooms: Mutex<HashMap<RoomName, RoomHandle>>,
    /// Those of them whose log is damaged.
    unreadable: Mutex<HashSet<RoomName>>,
    users: Arc<Directory>,
    subscriber: Subscriber,
    statistics: Statistics,
    catching_up: Semaphore,
    webhooks: Option<Arc<Webhooks>>,
    pub figures: Figures,
}

/// What the relay has done since its start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Publications received.
    pub publications: AtomicU64,
    /// Frames queued for connections.
    pub deliveries: AtomicU64,
    /// Times that a room read its log, because of a gap or as a check.
    pub fetches: AtomicU64,
    /// Times that the log itself was another one than before.
    pub diverged: AtomicU64,
    /// Publications dropped because a room's task was behind.
    pub dropped: AtomicU64,
    /// Times that the subscription had to be made anew.
    pub resubscriptions: AtomicU64,
    /// Heartbeats that Redis passed on but would not write.
    pub writeless_heartbeats: AtomicU64,
    /// Users whose connections Redis counted wrongly.
    pub presence_corrections: AtomicU64,
    /// Rooms whose task panicked.
    pub failures: AtomicU64,
}

impl Figures {
    pub(crate) fn count(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

/// A connection, as rooms see it.
#[derive(Clone)]
pub struct Follower {
    /// Unique on this edge.
    pub number: u64,
    /// The same over all edges; what ephemeral publications call their sender.
    pub id: Arc<str>,
    pub user: User,
    pub queue: Arc<Queue>,
    pub mailbox: Arc<Mailbox>,
    /// Taken by the room that sends it a page: one is in flight over all its rooms, or those would
    /// fill its queue together.
    pub turn: Arc<Semaphore>,
}

impl Follower {
    /// Tells a connection that a room cannot be read; it is to join again after this time.
    fn refuse(&self, room: &RoomName, retry_after: Duration) {
        let error = ServerFrame::error(ErrorCode::Unavailable).in_room(room.clone());
        let error = error.retry_after(retry_after);
        let frame = ServerFrame::Error(Box::new(error));
        self.queue.push(encode_text(&frame.encode()));
    }

    /// Has the client come back and resume.
    fn close(&self) {
        let code = CloseCode::Internal;
        self.queue.close_with(code.code(), code.sentence());
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Whatever task served it here ends in the midst: it must not wait in silence.
        if thread::panicking() {
            self.close();
        }
    }
}

/// How to reach a room's task.
#[derive(Clone)]
pub struct RoomHandle {
    control: mpsc::UnboundedSender<Control>,
    publications: mpsc::Sender<Arc<[u8]>>,
    /// Where the room stands, for `pong`; `None` until its log has been read.
    position: Arc<RwLock<Option<Position>>>,
}

impl RoomHandle {
    pub fn position(&self) -> Option<Position> {
        *self.position.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    pub fn new(store: Store, webhooks: Option<Arc<Webhooks>>) -> Arc<Self> {
        Arc::new_cyclic(|relay| Self {
            subscriber: Subscriber::start(store.clone(), relay.clone(), webhooks.is_some()),
            statistics: Statistics::start(store.clone()),
            store,
            rooms: Mutex::default(),
            unreadable: Mutex::default(),
            users: Arc::default(),
            catching_up: Semaphore::new(CATCH_UPS),
            webhooks,
            figures: Figures::default(),
        })
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who tells servers of the operator, if there are any.
    pub fn webhooks(&self) -> Option<&Arc<Webhooks>> {
        self.webhooks.as_ref()
    }

    /// Lets a connection follow a room from `since` on; the room answers it with `joined`.
    /// For one that follows it already this is a resync.
    pub fn attach(
        self: &Arc<Self>,
        room: &RoomName,
        follower: Follower,
        since: Option<Position>,
    ) -> RoomHandle {
        let mut rooms = self.rooms();
        let handle = rooms
            .entry(room.clone())
            .or_insert_with(|| self.open(room.clone()))
            .clone();
        // Under the lock: a room that is about to end looks into its mailbox under the same one.
        let attach = Control::Attach { follower, since };
        if let Err(mpsc::error::SendError(Control::Attach { follower, .. })) =
            handle.control.send(attach)
        {
            // Its task has just panicked, and this was not among what it took along.
            follower.close();
        }
        handle
    }

    /// Ends it.
    pub fn detach(&self, room: &RoomName, number: u64) {
        if let Some(handle) = self.rooms().get(room) {
            let _ = handle.control.send(Control::Detach { number });
        }
    }

    /// Has a connection told, until the answer is dropped, what concerns its user.
    pub fn enter(&self, user: &UserId, mailbox: &Arc<Mailbox>) -> Registration {
        self.users.enter(user.clone(), Arc::clone(mailbox))
    }

    /// Tells everyone else in a room, on every edge, once.
    pub async fn announce(&self, room: &RoomName, from: &str, frame: &str) {
        if let Err(error) = self
            .store
            .publish(room, Publication::announce(from, frame))
            .await
        {
            tracing::debug!(%room, %error, "an announcement was lost");
        }
    }

    /// Rooms followed now.
    pub fn rooms_followed(&self) -> usize {
        self.rooms().len()
    }

    /// Rooms among them whose log cannot be read.
    pub fn rooms_unreadable(&self) -> usize {
        self.unreadable().len()
    }

    /// Milliseconds since this edge last heard its own heartbeat through Redis; `None` before the
    /// first.
    pub fn heartbeat_age(&self) -> Option<u64> {
        self.subscriber.heartbeat_age()
    }

    /// The edge goes: its members leave every room at once.
    pub async fn leave_everywhere(&self) {
        let rooms: Vec<RoomName> = self.rooms().keys().cloned().collect();
        for room in rooms {
            let left = self
                .store
                .presence(&room, clustertalk_core::redis::Presence::Drop)
                .await;
            let Ok(members) = left else { continue };
            let count = clustertalk_core::redis::count_room(self.store.keyspace(), &room, members);
            let _ = self.store.call(&count).await;
        }
    }

    fn open(self: &Arc<Self>, room: RoomName) -> RoomHandle {
        let (control, commands) = mpsc::unbounded_channel();
        let (publications, published) = mpsc::channel(WAITING);
        let handle = RoomHandle {
            control,
            publications,
            position: Arc::default(),
        };
        let task = Room::new(Arc::clone(self), room.clone(), handle.clone());
        self.supervise(room, handle.clone(), task.run(commands, published));
        handle
    }

    /// Runs a room's task. If that panics, the next who joins finds a new one; those who followed
    /// the room are closed to resume when the task lets them go ([`Follower`]).
    fn supervise(
        self: &Arc<Self>,
        room: RoomName,
        handle: RoomHandle,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let relay = Arc::clone(self);
        let task = tokio::spawn(task);
        tokio::spawn(async move {
            let Err(error) = task.await else { return };
            if !error.is_panic() {
                return;
            }
            tracing::error!(%room, %error, "a room failed; its connections resume");
            Figures::count(&relay.figures.failures, 1);
            let mut rooms = relay.rooms();
            let is_same = |found: &RoomHandle| found.control.same_channel(&handle.control);
            if rooms.get(&room).is_some_and(is_same) {
                relay.forget(&mut rooms, &room);
            }
        });
    }

    /// The room's task has ended, or ends.
    fn forget(&self, rooms: &mut HashMap<RoomName, RoomHandle>, room: &RoomName) {
        rooms.remove(room);
        // Under the lock, so that it comes before the subscription of a task that follows this one.
        self.subscriber.unsubscribe(room);
        self.unreadable().remove(room);
    }

    /// A room's log is damaged: told once, until it can be read again.
    fn note_unreadable(&self, room: &RoomName, error: &StoreError) {
        if self.unreadable().insert(room.clone()) {
            tracing::warn!(%room, %error, "the log of a room cannot be read");
        }
    }

    fn note_readable(&self, room: &RoomName) {
        if self.unreadable().remove(room) {
            tracing::info!(%room, "the log of the room can be read again");
        }
    }

    /// A publication came for a room.
    fn published(&self, room: &RoomName, payload: Arc<[u8]>) {
        Figures::count(&self.figures.publications, 1);
        let Some(handle) = self.rooms().get(room).cloned() else {
            return;
        };
        if handle.publications.try_send(payload).is_err() {
            Figures::count(&self.figures.dropped, 1);
        }
    }

    /// An edge told of a user or a room.
    fn noticed(&self, payload: &str) {
        let notice = match Notice::parse(payload) {
            Ok(notice) => notice,
            Err(error) => return tracing::warn!(%error, "a notice cannot be read"),
        };
        match notice.concern() {
            Some(Concern::User(user)) => self.users.put(user, &payload.into()),
            Some(Concern::Room(room)) => {
                if let Some(handle) = self.rooms().get(room) {
                    let _ = handle.control.send(Control::Notice(payload.into()));
                }
            }
            None => {}
        }
    }

    /// Whatever was published in the last moments may be lost: every room reads its log, and looks
    /// who may be there.
    fn resync(&self) {
        for handle in self.rooms().values() {
            let _ = handle.control.send(Control::Resync);
        }
        self.sweep_webhooks();
    }

    fn sweep_webhooks(&self) {
        if let Some(webhooks) = &self.webhooks {
            webhooks.sweep();
        }
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomName, RoomHandle>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self) -> MutexGuard<'_, HashSet<RoomName>> {
        let unreadable = self.unreadable.lock();
        unreadable.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
