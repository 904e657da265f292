//! One room on one edge: where the edge stands in its log, and what each reader is told next.
//!
//! It reads nothing itself. The host feeds an [`Input`] and performs the [`Effect`]s in their order,
//! as it does with the hub.
//!
//! A reader that attaches follows nothing until [`Effect::Follow`]. Before that it is brought from its
//! own position to where the room stands, one page a turn of its connection: from the newest entries
//! in memory if they reach back far enough, else by reads of its own. So whoever follows has every
//! entry up to the cursor, and what is delivered next is the next one for all of them.

use super::cache::{self, Cache};
use super::pages::{Catch, CatchUp, catch_up, joined, page};
use super::publication::frame;
use super::{Offer, RoomCursor};
use crate::ids::{Position, RoomName};
use crate::limits::{EDGE_TAGS, Limits};
use crate::log::{Entry, Link};
use crate::protocol::{EntryFrame, ServerFrame};
use crate::store::{Members, Range, Stretch};
use std::collections::BTreeMap;
use std::time::Duration;

/// Before the log is read again that could not be opened; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause where the log itself is damaged: an operator has to mend it.
const DAMAGED_PAUSE: Duration = Duration::from_secs(30);
/// Before a reader gets another turn whose own read failed.
const READER_PAUSE: Duration = Duration::from_millis(500);
/// The least time after which a client is to join again.
const SOONEST_RETRY: Duration = Duration::from_secs(1);
/// When a client is to join again whose own read found a damaged log.
const DAMAGED_RETRY: Duration = Duration::from_secs(10);

/// A connection, by its number on this edge.
pub type Reader = u64;

/// Everything that can happen to a room.
#[derive(Debug)]
pub enum Input {
    /// The subscription was confirmed. Comes first: only what is published after it is sure to come.
    Subscribed,
    /// An entry came by the subscription.
    Published(Entry),
    /// Publications may have been lost, or it is time to look.
    Check,
    /// The room was deleted: its log is gone, and what is published from now on is of another one.
    /// Whoever follows is told by the hub.
    Deleted,
    /// A connection wants to follow from here on; a second time is a resync. The host takes it out
    /// of those that follow before it feeds this.
    Attach {
        reader: Reader,
        since: Option<Position>,
    },
    Detach {
        reader: Reader,
    },
    /// Answers [`Effect::AwaitTurn`].
    Turn(Ticket),
    /// Answers [`Effect::Read`].
    Loaded {
        ticket: ReadTicket,
        stretch: Stretch,
    },
    /// Answers [`Effect::Read`]: the store did not.
    Failed(ReadTicket),
    /// Answers [`Effect::Read`]: what the store holds is no log.
    Damaged(ReadTicket),
}

/// Everything that the host must do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Read a stretch of the log, not before this span has passed.
    Read {
        ticket: ReadTicket,
        range: Range,
        limit: usize,
        after: Duration,
    },
    /// Say when the connection can take a page: this span has passed, what was queued for it is
    /// written, and no other room is sending it one. Its turn ends when no read for the reader is
    /// under way.
    AwaitTurn { ticket: Ticket, after: Duration },
    /// Queue a live frame for everyone who follows.
    Deliver(EntryFrame),
    /// Queue a new truth for everyone who follows.
    Tell(Told),
    /// Queue a page for one reader.
    Page { reader: Reader, told: Told },
    /// Forget a reader that waits, and tell it to join again after this time.
    Refuse {
        reader: Reader,
        retry_after: Duration,
    },
    /// The reader follows from here on.
    Follow { reader: Reader },
}

/// Names a turn that a reader waits for. One of an earlier wish of the reader is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub reader: Reader,
    wish: u64,
}

/// Names a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTicket {
    /// For the room's own cursor.
    Room,
    Reader(Ticket),
}

/// An unbroken run of entries as one frame.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub catch: Catch,
    pub head: Position,
    pub more: bool,
    /// Whether it begins anew (`joined`) or continues (`page`).
    pub is_joined: bool,
}

impl Told {
    /// `members` are told by `joined` only.
    pub fn frame(&self, room: &RoomName, members: &Members) -> ServerFrame {
        if self.is_joined {
            joined(room, &self.catch, self.head, self.more, members)
        } else {
            page(room, &self.catch, self.head, self.more)
        }
    }
}

/// What a room may remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Tags of entries passed. Default 1,024.
    pub tags: usize,
    /// Newest entries, from which joining and resuming are answered. Default 256.
    pub entries: usize,
    /// Bytes of them, roughly. Default 128 KiB; a few entries are kept whatever their size.
    pub bytes: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            tags: EDGE_TAGS,
            entries: 256,
            bytes: 128 << 10,
        }
    }
}

/// One room on one edge; see the documentation of the module.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    page_messages: usize,
    page_bytes: usize,
    recent_messages: usize,
    /// Tags that the cursor remembers.
    tags: usize,
    cursor: RoomCursor,
    state: State,
    /// A publication that did not fit while the log was being read.
    missed: Option<Link>,
    /// Publications may have been lost while the log was being read.
    check_again: bool,
    cache: Cache,
    /// Those who do not follow yet.
    waiting: BTreeMap<Reader, Waiting>,
    wishes: u64,
    effects: Vec<Effect>,
}

/// The room's own dealings with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its log has not been read, so there is no place to attach anyone to.
    Opening {
        failures: u32,
        pause: Duration,
    },
    Standing,
    /// It reads on from where its cursor was.
    Checking {
        from: Position,
    },
    /// What was at its cursor is in no log: it reads the newest.
    Diverged {
        from: Position,
    },
    /// What it reads may be of a log that is deleted: it opens when that has come.
    Deleted,
}

#[derive(Debug)]
struct Waiting {
    /// Where it stands.
    since: Option<Position>,
    /// Whether it was told `joined`.
    is_joined: bool,
    wish: u64,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Waits until the room has read its log.
    Room,
    Turn,
    /// Waits for what follows its position.
    Read,
    /// Waits for the newest entries: it has no position, or one that leads nowhere.
    ReadRecent,
}

impl Room {
    pub fn new(name: RoomName, limits: &Limits, memory: Memory) -> Self {
        Self {
            name,
            page_messages: limits.page_messages,
            page_bytes: limits.page_bytes,
            recent_messages: limits.recent_messages,
            tags: memory.tags,
            cursor: RoomCursor::new(Position::ORIGIN, memory.tags),
            state: State::Opening {
                failures: 0,
                pause: Duration::ZERO,
            },
            missed: None,
            check_again: false,
            cache: Cache::new(memory.entries, memory.bytes),
            waiting: BTreeMap::new(),
            wishes: 0,
            effects: Vec::new(),
        }
    }

    /// A room that stood at `position` when its host's memory was lost. Whoever followed it has
    /// everything up to there, and follows on without a word: what came since is read when the
    /// subscription is confirmed.
    pub fn resumed(name: RoomName, limits: &Limits, memory: Memory, position: Position) -> Self {
        Self {
            cursor: RoomCursor::new(position, memory.tags),
            state: State::Standing,
            ..Self::new(name, limits, memory)
        }
    }

    pub const fn name(&self) -> &RoomName {
        &self.name
    }

    /// Where the room stands; `None` until its log has been read.
    pub const fn position(&self) -> Option<Position> {
        match self.state {
            State::Opening { .. } | State::Deleted => None,
            _ => Some(self.cursor.position()),
        }
    }

    /// Whether anyone is on the way to follow.
    pub fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Bytes of the newest entries that it holds, roughly.
    pub const fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Gives most of those back, because the host has little memory left.
    pub fn shrink_cache(&mut self) {
        self.cache.keep_few();
    }

    /// Handles one input.
    #[must_use = "effects that are not performed are promises broken"]
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Subscribed if self.state == State::Standing => self.check(),
            Input::Subscribed => self.read_newest(Duration::ZERO),
            Input::Published(entry) => self.published(entry),
            Input::Check => self.check(),
            Input::Deleted => self.deleted(),
            Input::Attach { reader, since } => self.attach(reader, since),
            Input::Detach { reader } => {
                self.waiting.remove(&reader);
            }
            Input::Turn(ticket) => self.turn(ticket),
            Input::Loaded {
                ticket: ReadTicket::Room,
                stretch,
            } => self.loaded(stretch),
            Input::Loaded {
                ticket: ReadTicket::Reader(ticket),
                stretch,
            } => self.loaded_for(ticket, stretch),
            Input::Failed(ReadTicket::Room) => self.failed(LONGEST_PAUSE),
            Input::Failed(ReadTicket::Reader(ticket)) => self.failed_for(ticket),
            Input::Damaged(ReadTicket::Room) => self.failed(DAMAGED_PAUSE),
            Input::Damaged(ReadTicket::Reader(ticket)) => self.damaged_for(ticket),
        }
        std::mem::take(&mut self.effects)
    }

    fn read_newest(&mut self, after: Duration) {
        self.effects.push(Effect::Read {
            ticket: ReadTicket::Room,
            range: Range::Tail,
            limit: self.page_messages,
            after,
        });
    }

    fn published(&mut self, entry: Entry) {
        if let State::Opening { .. } | State::Deleted = self.state {
            self.missed = Some(entry.link);
            return;
        }
        match self.cursor.offer(&entry.link) {
            Offer::Deliver => self.deliver(entry),
            Offer::Drop => {}
            Offer::Fetch if self.state == State::Standing => self.check(),
            // Perhaps what is being read has it.
            Offer::Fetch => self.missed = Some(entry.link),
        }
    }

    /// Reads the log from the cursor's own entry on.
    fn check(&mut self) {
        if self.state != State::Standing {
            self.check_again = true;
            return;
        }
        let from = self.cursor.position();
        self.state = State::Checking { from };
        self.effects.push(Effect::Read {
            ticket: ReadTicket::Room,
            range: Range::After(from.seq),
            limit: self.page_messages,
            after: Duration::ZERO,
        });
    }

    fn deleted(&mut self) {
        self.cursor = RoomCursor::new(Position::ORIGIN, self.tags);
        self.cache.clear();
        self.missed = None;
        self.check_again = false;
        for waiting in self.waiting.values_mut() {
            // Turns and reads under way are of the old log.
            self.wishes += 1;
            waiting.wish = self.wishes;
            waiting.step = Step::Room;
        }
        if self.state == State::Standing {
            self.open();
        } else {
            self.state = State::Deleted;
        }
    }

    fn open(&mut self) {
        self.state = State::Opening {
            failures: 0,
            pause: Duration::ZERO,
        };
        self.read_newest(Duration::ZERO);
    }

    fn loaded(&mut self, stretch: Stretch) {
        let more = stretch.more;
        match self.state {
            State::Standing => return,
            State::Deleted => return self.open(),
            State::Opening { .. } => {
                let head = stretch.head;
                for catch in CatchUp::recent(false, stretch) {
                    self.stand_after(catch);
                }
                self.cursor.advance(head);
            }
            State::Checking { from } => match catch_up(from, stretch) {
                CatchUp::Segments(segments) => {
                    self.check_again |= more;
                    self.catch_up(from, segments);
                }
                // A publication moved the cursor meanwhile: the question is another one.
                CatchUp::Diverged if from != self.cursor.position() => self.check_again = true,
                CatchUp::Diverged => {
                    self.state = State::Diverged { from };
                    return self.read_newest(Duration::ZERO);
                }
            },
            State::Diverged { from } if from != self.cursor.position() => self.check_again = true,
            State::Diverged { .. } => {
                let head = stretch.head;
                self.cache.clear();
                for catch in CatchUp::recent(true, stretch) {
                    self.tell(catch);
                }
                self.cursor.advance(head);
            }
        }
        self.stand();
    }

    /// Delivers unbroken runs as live messages, and tells of every break by a `joined`.
    fn catch_up(&mut self, from: Position, segments: Vec<Catch>) {
        let mut reached = from;
        for catch in segments {
            let end = catch.position;
            if catch.reason.is_none() {
                for entry in catch.entries {
                    match self.cursor.offer(&entry.link) {
                        Offer::Deliver => self.deliver(entry),
                        // It was published while the log was being read.
                        Offer::Drop => {}
                        Offer::Fetch => {
                            self.check_again = true;
                            return;
                        }
                    }
                }
            } else if reached == self.cursor.position() {
                self.tell(catch);
            } else {
                // The break lies behind what was published meanwhile.
                self.check_again = true;
                return;
            }
            reached = end;
        }
    }

    fn failed(&mut self, longest_pause: Duration) {
        match self.state {
            State::Standing => {}
            State::Deleted => self.open(),
            State::Opening { failures, .. } => {
                let pause = (PAUSE * 2_u32.pow(failures.min(8))).min(longest_pause);
                let failures = failures.saturating_add(1);
                self.state = State::Opening { failures, pause };
                while let Some((&reader, _)) = self.waiting.first_key_value() {
                    self.refuse(reader, pause);
                }
                self.read_newest(pause);
            }
            State::Checking { .. } | State::Diverged { .. } => {
                // The cursor has not moved: the next publication or check tries again.
                self.check_again = false;
                self.missed = None;
                self.stand();
            }
        }
    }

    /// The log has been read, unless what came meanwhile makes it necessary once more.
    fn stand(&mut self) {
        self.state = State::Standing;
        let missed = self.missed.take();
        let is_missed = missed.is_some_and(|link| self.cursor.tag_at(link.seq) != Some(link.tag));
        if std::mem::take(&mut self.check_again) || is_missed {
            return self.check();
        }
        let readers: Vec<Reader> = self.waiting_for_the_room().collect();
        for reader in readers {
            self.await_turn(reader, Duration::ZERO);
        }
    }

    fn waiting_for_the_room(&self) -> impl Iterator<Item = Reader> {
        let waiting = self.waiting.iter();
        waiting.filter_map(|(&reader, waiting)| (waiting.step == Step::Room).then_some(reader))
    }

    fn refuse(&mut self, reader: Reader, retry_after: Duration) {
        self.waiting.remove(&reader);
        self.effects.push(Effect::Refuse {
            reader,
            retry_after: retry_after.max(SOONEST_RETRY),
        });
    }

    fn deliver(&mut self, entry: Entry) {
        self.effects
            .push(Effect::Deliver(frame(&self.name, &entry)));
        self.cache.push(entry);
    }

    fn tell(&mut self, catch: Catch) {
        self.stand_after(catch.clone());
        self.effects.push(Effect::Tell(Told {
            head: catch.position,
            catch,
            more: false,
            is_joined: true,
        }));
    }

    /// Takes over what the log says without delivering it.
    fn stand_after(&mut self, catch: Catch) {
        let first = catch.entries.first();
        self.cursor
            .turn(first.map_or(catch.position, |entry| entry.link.before()));
        for entry in catch.entries {
            self.cursor.advance(entry.link.position());
            self.cache.push(entry);
        }
        self.cursor.advance(catch.position);
    }

    fn attach(&mut self, reader: Reader, since: Option<Position>) {
        self.wishes += 1;
        let waiting = Waiting {
            since,
            is_joined: false,
            wish: self.wishes,
            step: Step::Room,
        };
        self.waiting.insert(reader, waiting);
        if self.state == State::Deleted {
            return;
        }
        if let State::Opening { failures, pause } = self.state {
            if failures > 0 {
                self.refuse(reader, pause);
            }
            return;
        }
        if since.is_some_and(|since| since.seq > self.cursor.position().seq) {
            // Another edge told it of what is lost or late here.
            self.check();
        } else {
            self.await_turn(reader, Duration::ZERO);
        }
    }

    fn await_turn(&mut self, reader: Reader, after: Duration) {
        let Some(waiting) = self.waiting.get_mut(&reader) else {
            return;
        };
        waiting.step = Step::Turn;
        let wish = waiting.wish;
        let ticket = Ticket { reader, wish };
        self.effects.push(Effect::AwaitTurn { ticket, after });
    }

    /// What a wish waits for, if it is still the reader's and comes to this step.
    fn wish(&mut self, ticket: Ticket, steps: &[Step]) -> Option<&mut Waiting> {
        let waiting = self.waiting.get_mut(&ticket.reader)?;
        (waiting.wish == ticket.wish && steps.contains(&waiting.step)).then_some(waiting)
    }

    fn turn(&mut self, ticket: Ticket) {
        let Some(waiting) = self.wish(ticket, &[Step::Turn]) else {
            return;
        };
        let since = waiting.since;
        let position = self.cursor.position();
        let entries = match since {
            None if position == Position::ORIGIN => Some(Vec::new()),
            None => self.cache.newest(self.recent_messages),
            Some(since) if since == position => Some(Vec::new()),
            Some(since) => self.cache.after(since),
        };
        let Some(entries) = entries.filter(|entries| self.is_one_page(entries)) else {
            return self.read_for(ticket, since.is_none());
        };
        let catch = Catch {
            recovered: since.is_some(),
            reason: None,
            lost: None,
            entries,
            position,
        };
        self.page(ticket.reader, catch, position, false);
        self.follow(ticket.reader);
    }

    fn is_one_page(&self, entries: &[Entry]) -> bool {
        let bytes: usize = entries.iter().map(cache::size).sum();
        entries.len() <= self.page_messages && bytes <= self.page_bytes
    }

    fn read_for(&mut self, ticket: Ticket, recent: bool) {
        let Some(waiting) = self.waiting.get_mut(&ticket.reader) else {
            return;
        };
        let (step, range, limit) = match waiting.since {
            Some(since) if !recent => (Step::Read, Range::After(since.seq), self.page_messages),
            _ => (Step::ReadRecent, Range::Tail, self.recent_messages),
        };
        waiting.step = step;
        self.effects.push(Effect::Read {
            ticket: ReadTicket::Reader(ticket),
            range,
            limit,
            after: Duration::ZERO,
        });
    }

    fn loaded_for(&mut self, ticket: Ticket, stretch: Stretch) {
        let Some(waiting) = self.wish(ticket, &[Step::Read, Step::ReadRecent]) else {
            return;
        };
        let head = stretch.head;
        // Of the newest there is more only below them.
        let more = stretch.more && waiting.step == Step::Read;
        let segments = match (waiting.since, waiting.step) {
            (Some(since), Step::Read) => match catch_up(since, stretch) {
                CatchUp::Segments(segments) => segments,
                CatchUp::Diverged => return self.read_for(ticket, true),
            },
            (since, _) => CatchUp::recent(since.is_some(), stretch),
        };
        let reached = segments.last().map_or(head, |last| last.position);
        let follows = !more && reached == self.cursor.position();
        let last = segments.len() - 1;
        for (index, catch) in segments.into_iter().enumerate() {
            self.page(ticket.reader, catch, head, !(follows && index == last));
        }
        if follows {
            self.follow(ticket.reader);
        } else if more || self.cache.reaches(reached) {
            self.await_turn(ticket.reader, Duration::ZERO);
        } else {
            // The log knows more than what was published, or it is another one.
            if let Some(waiting) = self.waiting.get_mut(&ticket.reader) {
                waiting.step = Step::Room;
            }
            self.check();
        }
    }

    fn failed_for(&mut self, ticket: Ticket) {
        if self.wish(ticket, &[Step::Read, Step::ReadRecent]).is_some() {
            self.await_turn(ticket.reader, READER_PAUSE);
        }
    }

    fn damaged_for(&mut self, ticket: Ticket) {
        if self.wish(ticket, &[Step::Read, Step::ReadRecent]).is_some() {
            self.refuse(ticket.reader, DAMAGED_RETRY);
        }
    }

    fn page(&mut self, reader: Reader, catch: Catch, head: Position, more: bool) {
        let Some(waiting) = self.waiting.get_mut(&reader) else {
            return;
        };
        let is_joined = !std::mem::replace(&mut waiting.is_joined, true) || catch.reason.is_some();
        waiting.since = Some(catch.position);
        let told = Told {
            catch,
            head,
            more,
            is_joined,
        };
        self.effects.push(Effect::Page { reader, told });
    }

    fn follow(&mut self, reader: Reader) {
        self.waiting.remove(&reader);
        self.effects.push(Effect::Follow { reader });
    }
}
