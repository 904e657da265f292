//! Rooms on this edge: one subscription and one cursor each, however many connections follow it.
//!
//! A room is a task ([`room`]) that owns its cursor and its members, so nothing here is locked while
//! messages go out. [`subscriber`] holds the one connection that publications come by, and proves
//! every half second that it is alive.

mod cache;
mod catch_up;
mod room;
mod statistics;
mod subscriber;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use clustertalk_core::{
    delivery::Publication,
    ids::{Position, RoomName, User},
};
use tokio::sync::{Semaphore, mpsc};

use self::{
    room::{Control, Room},
    statistics::Statistics,
    subscriber::Subscriber,
};
use crate::{queue::Queue, store::Store};

/// Publications that may wait for a room's task. What comes beyond is dropped: the next one that
/// is taken shows the gap, and the log fills it.
const WAITING: usize = 1024;
/// Catch-up reads from Redis at a time; live delivery must not starve.
const CATCH_UPS: usize = 64;

/// All rooms that this edge follows.
pub struct Relay {
    store: Store,
    rooms: Mutex<HashMap<RoomName, RoomHandle>>,
    subscriber: Subscriber,
    statistics: Statistics,
    catching_up: Semaphore,
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
    /// Taken by whoever sends it a page: one is in flight, over all its rooms, or those would fill
    /// its queue together.
    pub turn: Arc<Semaphore>,
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
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new_cyclic(|relay| Self {
            subscriber: Subscriber::start(store.clone(), relay.clone()),
            statistics: Statistics::start(store.clone()),
            store,
            rooms: Mutex::default(),
            catching_up: Semaphore::new(CATCH_UPS),
            figures: Figures::default(),
        })
    }

    pub fn store(&self) -> &Store {
        &self.store
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
        let _ = handle.control.send(Control::Attach { follower, since });
        handle
    }

    /// Ends it.
    pub fn detach(&self, room: &RoomName, number: u64) {
        if let Some(handle) = self.rooms().get(room) {
            let _ = handle.control.send(Control::Detach { number });
        }
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
        let task = Room::new(Arc::clone(self), room, handle.clone());
        tokio::spawn(task.run(commands, published));
        handle
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

    /// Whatever was published in the last moments may be lost: every room reads its log.
    fn resync(&self) {
        for handle in self.rooms().values() {
            let _ = handle.control.send(Control::Resync);
        }
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, HashMap<RoomName, RoomHandle>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
