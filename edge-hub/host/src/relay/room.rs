//! One room on this edge: a task that owns its cursor, its newest entries and its followers.

mod presence;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use clustertalk_core::{
    delivery::{
        Catch, CatchUp, Ephemeral, Offer, Publication, RoomCursor, catch_up, frame, joined, page,
    },
    ids::{Position, RoomName},
    limits::EDGE_TAGS,
    log::Entry,
    store::Range,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};

use self::presence::Presence;
use super::{
    Figures, Follower, Relay, RoomHandle,
    cache::{self, Cache},
    catch_up::pages,
};
use crate::{queue::DEFAULT_QUEUE_BYTES, store::StoreError, websocket::encode_text};

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
/// Before another try when Redis did not answer; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause where the log itself is damaged: an operator has to mend it.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(30);
/// A room whose log is damaged is given up if nobody asks for it in this time; those who were told
/// to come back do so earlier.
const UNREADABLE_LINGER: Duration = Duration::from_secs(60);
/// Bytes in a connection's queue up to which it is given a page at once. Half of what a queue
/// takes: live messages of other rooms need place as well.
const QUEUE_BYTES: usize = DEFAULT_QUEUE_BYTES / 2;

/// What a room's task is told.
pub enum Control {
    Attach {
        follower: Follower,
        since: Option<Position>,
    },
    /// The pages for a follower have come to this position.
    CaughtUp {
        number: u64,
        generation: u64,
        position: Position,
        /// Of the connection; kept until the last page is queued.
        turn: OwnedSemaphorePermit,
    },
    Detach {
        number: u64,
    },
    /// Publications may have been lost.
    Resync,
}

pub struct Room {
    relay: Arc<Relay>,
    name: RoomName,
    handle: RoomHandle,
    cursor: RoomCursor,
    cache: Cache,
    /// They have everything up to the cursor, and get what comes.
    followers: HashMap<u64, Follower>,
    /// They read pages; live messages are not queued for them meanwhile.
    catching_up: HashMap<u64, CatchingUp>,
    generation: u64,
    presence: Presence,
    active_at: Instant,
    checked_at: Instant,
    needed_at: Instant,
}

struct CatchingUp {
    follower: Follower,
    /// Tells the pages that were asked for last from those of an earlier wish.
    generation: u64,
    task: AbortHandle,
}

impl Room {
    pub fn new(relay: Arc<Relay>, name: RoomName, handle: RoomHandle) -> Self {
        let now = Instant::now();
        Self {
            relay,
            name,
            handle,
            cursor: RoomCursor::new(Position::ORIGIN, EDGE_TAGS),
            cache: Cache::default(),
            followers: HashMap::new(),
            catching_up: HashMap::new(),
            generation: 0,
            presence: Presence::default(),
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
        // Only what is published after the confirmation is sure to come, so the log is read after it.
        self.relay.subscriber.subscribe(&self.name).await;
        let mut pause = PAUSE;
        while let Err(error) = self.open().await {
            if error.is_unreadable() {
                self.relay.note_unreadable(&self.name, &error);
                self.refuse_joins(&mut commands, pause).await;
                if self.needed_at.elapsed() > UNREADABLE_LINGER && self.retire(&commands) {
                    return;
                }
                pause = (pause * 2).min(UNREADABLE_PAUSE);
            } else {
                tracing::warn!(room = %self.name, %error, "cannot read the room; trying again");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        self.relay.note_readable(&self.name);
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
                    let over = self.needed_at.elapsed() > LINGER && self.presence.is_settled();
                    if over && self.retire(&commands) {
                        return;
                    }
                }
            }
        }
    }

    /// Reads the newest entries and stands at their end.
    async fn open(&mut self) -> Result<(), StoreError> {
        let most = self.relay.store.limits().page_messages;
        let stretch = self.relay.store.read(&self.name, Range::Tail, most).await?;
        let head = stretch.head;
        self.cursor = RoomCursor::new(Position::ORIGIN, EDGE_TAGS);
        for catch in CatchUp::recent(false, stretch) {
            self.stand_after(catch);
        }
        self.cursor.advance(head);
        self.moved();
        Ok(())
    }

    /// Tells those who join in this time to try again after it.
    async fn refuse_joins(
        &mut self,
        commands: &mut mpsc::UnboundedReceiver<Control>,
        pause: Duration,
    ) {
        let until = Instant::now() + pause;
        while let Ok(Some(command)) = timeout_at(until, commands.recv()).await {
            if let Control::Attach { follower, .. } = command {
                self.needed_at = Instant::now();
                follower.refuse(&self.name, until.saturating_duration_since(self.needed_at));
            }
        }
    }

    async fn published(&mut self, payload: &[u8]) {
        match Publication::parse(payload) {
            Ok(Some(Publication::Entry(entry))) => match self.cursor.offer(&entry.link) {
                Offer::Deliver => {
                    self.deliver(entry);
                    self.moved();
                }
                Offer::Drop => {}
                Offer::Fetch => self.fetch().await,
            },
            Ok(Some(Publication::Ephemeral(ephemeral))) => self.ephemeral(ephemeral),
            Ok(None) => {}
            Err(error) => {
                // Whatever it was, the log has the truth.
                tracing::warn!(room = %self.name, %error, "a publication cannot be read");
                self.fetch().await;
            }
        }
    }

    async fn commanded(&mut self, command: Control) {
        match command {
            Control::Attach { follower, since } => {
                self.forget(follower.number);
                if self.presence.stale() {
                    self.presence.read(&self.relay.store, &self.name).await;
                }
                if since.is_some_and(|since| since.seq > self.cursor.position().seq) {
                    // Another edge told him of what is lost or late here.
                    self.fetch().await;
                }
                self.attach(follower, since);
            }
            Control::CaughtUp {
                number,
                generation,
                position,
                turn: _turn,
            } => {
                let current = self.catching_up.get(&number);
                if current.is_some_and(|current| current.generation == generation)
                    && let Some(CatchingUp { follower, .. }) = self.catching_up.remove(&number)
                {
                    if self.cursor.tag_at(position.seq) != Some(position.tag) {
                        // The pages came from the log, and it knows more than what was published.
                        self.fetch().await;
                    }
                    self.attach_after_pages(follower, position);
                }
            }
            Control::Detach { number } => self.forget(number),
            Control::Resync => self.fetch().await,
        }
        if !self.followers.is_empty() || !self.catching_up.is_empty() {
            self.needed_at = Instant::now();
        }
    }

    /// Answers a join from the newest entries if they reach back far enough, else by pages.
    fn attach(&mut self, follower: Follower, since: Option<Position>) {
        let limits = self.relay.store.limits();
        let position = self.cursor.position();
        let entries = match since {
            None if position == Position::ORIGIN => Some(Vec::new()),
            None => self.cache.newest(limits.recent_messages),
            Some(since) if since == position => Some(Vec::new()),
            Some(since) => self.cache.after(since),
        };
        let turn = Arc::clone(&follower.turn);
        let (Some(entries), Ok(_turn)) = (self.one_page(entries), turn.try_acquire()) else {
            return self.send_pages(follower, since, true);
        };
        let catch = Catch {
            recovered: since.is_some(),
            reason: None,
            lost: None,
            entries,
            position,
        };
        self.presence.note(&follower.user);
        let frame = joined(&self.name, &catch, position, false, &self.presence.members);
        let encoded = encode_text(&frame.encode());
        if follower.queue.bytes() + encoded.len() > QUEUE_BYTES {
            return self.send_pages(follower, since, true);
        }
        follower.queue.push(encoded);
        self.followers.insert(follower.number, follower);
    }

    /// Entries that are no more than a page may hold.
    fn one_page(&self, entries: Option<Vec<Entry>>) -> Option<Vec<Entry>> {
        let limits = self.relay.store.limits();
        entries.filter(|entries| {
            let bytes: usize = entries.iter().map(cache::size).sum();
            entries.len() <= limits.page_messages && bytes <= limits.page_bytes
        })
    }

    /// The last page, and from then on what comes.
    fn attach_after_pages(&mut self, follower: Follower, reached: Position) {
        let position = self.cursor.position();
        let entries = if reached == position {
            Some(Vec::new())
        } else {
            self.cache.after(reached)
        };
        let Some(entries) = self.one_page(entries) else {
            return self.send_pages(follower, Some(reached), false);
        };
        let catch = Catch {
            recovered: true,
            reason: None,
            lost: None,
            entries,
            position,
        };
        let encoded = encode_text(&page(&self.name, &catch, position, false).encode());
        if follower.queue.bytes() + encoded.len() > QUEUE_BYTES {
            return self.send_pages(follower, Some(reached), false);
        }
        follower.queue.push(encoded);
        self.followers.insert(follower.number, follower);
    }

    fn send_pages(&mut self, follower: Follower, since: Option<Position>, first: bool) {
        self.generation += 1;
        let generation = self.generation;
        let number = follower.number;
        let members = self.presence.members.clone();
        let pages = pages(
            Arc::clone(&self.relay),
            self.name.clone(),
            follower.clone(),
            since,
            first.then_some(members),
        );
        let control = self.handle.control.clone();
        let task = tokio::spawn(async move {
            if let Some((position, turn)) = pages.await {
                let _ = control.send(Control::CaughtUp {
                    number,
                    generation,
                    position,
                    turn,
                });
            }
        });
        let task = task.abort_handle();
        self.catching_up.insert(
            number,
            CatchingUp {
                follower,
                generation,
                task,
            },
        );
    }

    fn forget(&mut self, number: u64) {
        self.followers.remove(&number);
        if let Some(catching_up) = self.catching_up.remove(&number) {
            catching_up.task.abort();
        }
    }

    /// Encodes once, queues for each follower.
    fn deliver(&mut self, entry: Entry) {
        let encoded = encode_text(&frame(&self.name, &entry).encode());
        for follower in self.followers.values() {
            follower.queue.push(encoded.clone());
        }
        Figures::count(&self.relay.figures.deliveries, self.followers.len());
        self.relay.statistics.note(&self.name);
        self.cache.push(entry);
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
        for frame in self.presence.due(&self.name) {
            let encoded = encode_text(&frame.encode());
            for follower in self.followers.values() {
                follower.queue.push(encoded.clone());
            }
        }
    }

    /// Reads the log from the cursor's own entry on, and tells the followers what it says.
    async fn fetch(&mut self) {
        Figures::count(&self.relay.figures.fetches, 1);
        self.checked_at = Instant::now();
        loop {
            match self.fetch_page().await {
                Ok(true) => {}
                Ok(false) => {
                    self.relay.note_readable(&self.name);
                    break;
                }
                // The cursor has not moved: the next publication or check tries again.
                Err(error) if error.is_unreadable() => {
                    self.relay.note_unreadable(&self.name, &error);
                    break;
                }
                Err(error) => {
                    tracing::warn!(room = %self.name, %error, "cannot catch up");
                    break;
                }
            }
        }
        self.moved();
    }

    /// Answers whether there is more.
    async fn fetch_page(&mut self) -> Result<bool, StoreError> {
        let most = self.relay.store.limits().page_messages;
        let position = self.cursor.position();
        let store = &self.relay.store;
        let stretch = store
            .read(&self.name, Range::After(position.seq), most)
            .await?;
        let more = stretch.more;
        let segments = match catch_up(position, stretch) {
            CatchUp::Segments(segments) => segments,
            CatchUp::Diverged => {
                Figures::count(&self.relay.figures.diverged, 1);
                tracing::warn!(room = %self.name, %position, "the log is another one: a failover lost its tail");
                let tail = store.read(&self.name, Range::Tail, most).await?;
                let head = tail.head;
                let segments = CatchUp::recent(true, tail);
                self.cache.clear();
                self.new_truth(segments).await;
                self.cursor.advance(head);
                return Ok(false);
            }
        };
        self.new_truth(segments).await;
        Ok(more)
    }

    /// Delivers unbroken runs as live messages, and tells of every break by an unsolicited `joined`.
    async fn new_truth(&mut self, segments: Vec<Catch>) {
        if segments.iter().any(|catch| catch.reason.is_some()) {
            self.presence.read(&self.relay.store, &self.name).await;
        }
        for catch in segments {
            if catch.reason.is_none() {
                self.cursor.advance(
                    catch
                        .entries
                        .first()
                        .map_or(catch.position, |entry| entry.link.before()),
                );
                for entry in catch.entries {
                    self.cursor.advance(entry.link.position());
                    self.deliver(entry);
                }
                continue;
            }
            let told = joined(
                &self.name,
                &catch,
                catch.position,
                false,
                &self.presence.members,
            );
            let encoded = encode_text(&told.encode());
            for follower in self.followers.values() {
                follower.queue.push(encoded.clone());
            }
            self.stand_after(catch);
            self.active_at = Instant::now();
        }
    }

    /// Takes over what the log says without delivering it.
    fn stand_after(&mut self, catch: Catch) {
        for entry in catch.entries {
            self.cursor.advance(entry.link.position());
            self.cache.push(entry);
        }
        self.cursor.advance(catch.position);
    }

    async fn look_after(&mut self) {
        if !self.followers.is_empty() || !self.catching_up.is_empty() {
            self.needed_at = Instant::now();
        }
        self.announce_presence();
        let every = if self.active_at.elapsed() < ACTIVE {
            CHECK_ACTIVE
        } else {
            CHECK_QUIET
        };
        if self.checked_at.elapsed() >= every {
            self.fetch().await;
        }
        if self.presence.refresh_is_due() {
            let catching_up = self
                .catching_up
                .values()
                .map(|catching_up| &catching_up.follower);
            let present = self
                .followers
                .values()
                .chain(catching_up)
                .map(|follower| &follower.user)
                .collect();
            self.presence
                .refresh(&self.relay, &self.name, &present)
                .await;
        }
    }

    fn moved(&self) {
        *self
            .handle
            .position
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(self.cursor.position());
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
