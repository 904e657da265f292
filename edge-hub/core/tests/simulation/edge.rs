//! A host, as far as delivery goes: the core's room, and what it asked for and has not been answered.

use super::cursor::Judgement;
use super::transitions::World;
use clustertalk_core::delivery::room::{Effect, Input, Memory, ReadTicket, Ticket};
use clustertalk_core::delivery::{Publication, Room};
use clustertalk_core::ids::{Position, RoomName};
use clustertalk_core::limits::Limits;
use clustertalk_core::log::Entry;
use clustertalk_core::protocol::{ErrorCode, ServerFrame};
use clustertalk_core::store::{Members, Range, Stretch};
use std::collections::BTreeSet;

/// Entries in one page, so few that pages are common.
const PAGE: usize = 3;
/// What an edge remembers; little, so that forgetting is exercised.
const MEMORY: Memory = Memory {
    tags: 16,
    entries: 2,
    bytes: 1 << 20,
};

pub struct Edge {
    pub room: Room,
    followers: BTreeSet<usize>,
    /// What is under way, in no order.
    due: Vec<Due>,
}

enum Due {
    Turn(Ticket),
    Read(Read),
    Answer(Read, Option<Stretch>),
}

#[derive(Clone, Copy)]
struct Read {
    ticket: ReadTicket,
    range: Range,
    limit: usize,
    /// Where the room stood when it asked.
    from: Position,
}

impl Edge {
    pub fn new() -> Self {
        let limits = Limits {
            page_messages: PAGE,
            recent_messages: PAGE,
            ..Limits::default()
        };
        Self {
            room: Room::new(room(), &limits, MEMORY),
            followers: BTreeSet::new(),
            due: Vec::new(),
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.due.is_empty() && !self.room.is_awaited()
    }
}

impl World {
    /// The subscription is confirmed.
    pub fn open_edge(&mut self, edge: usize) {
        self.edges[edge] = Edge::new();
        self.feed(edge, Input::Subscribed);
    }

    pub fn published(&mut self, edge: usize, payload: &str) {
        let Ok(Some(Publication::Entry(mut entry))) = Publication::parse(payload.as_bytes()) else {
            panic!("the model publishes entries: {payload}");
        };
        if self.rules.edges == Judgement::NumbersAlone
            && let Some(own) = self.edges[edge].room.position()
        {
            if entry.link.seq <= own.seq {
                return;
            }
            if entry.link.from == own.seq + 1 {
                entry.link.prev = own.tag;
            }
        }
        self.feed(edge, Input::Published(entry));
    }

    pub fn attach(&mut self, socket: usize, since: Option<Position>) {
        let edge = self.sockets[socket].edge;
        self.edges[edge].followers.remove(&socket);
        let reader = socket as u64;
        self.feed(edge, Input::Attach { reader, since });
    }

    pub fn detach(&mut self, socket: usize) {
        let edge = self.sockets[socket].edge;
        self.edges[edge].followers.remove(&socket);
        let reader = socket as u64;
        self.feed(edge, Input::Detach { reader });
    }

    /// It is time to look at the log, or the subscription was lost.
    pub fn look(&mut self, edge: usize) {
        self.feed(edge, Input::Check);
    }

    /// One of the things that are under way goes on. Answers whether there was any.
    pub fn go_on(&mut self, edge: usize) -> bool {
        let count = self.edges[edge].due.len();
        if count == 0 {
            return false;
        }
        let next = self.random.below(count);
        match self.edges[edge].due.swap_remove(next) {
            Due::Turn(ticket) => self.feed(edge, Input::Turn(ticket)),
            Due::Read(read) => {
                let fails = self.faulty && self.random.percent(4);
                let answer = (!fails).then(|| self.read(read));
                self.edges[edge].due.push(Due::Answer(read, answer));
            }
            Due::Answer(Read { ticket, .. }, Some(stretch)) => {
                self.feed(edge, Input::Loaded { ticket, stretch });
            }
            Due::Answer(Read { ticket, .. }, None) => self.feed(edge, Input::Failed(ticket)),
        }
        true
    }

    fn read(&self, read: Read) -> Stretch {
        let stretch = self.redis.store.read(read.range, read.limit);
        match (read.ticket, read.range) {
            (ReadTicket::Room, Range::After(_)) if !self.rules.verify => unverified(read, stretch),
            _ => stretch,
        }
    }

    fn feed(&mut self, edge: usize, input: Input) {
        for effect in self.edges[edge].room.handle(input) {
            self.apply_to_edge(edge, effect);
        }
    }

    fn apply_to_edge(&mut self, edge: usize, effect: Effect) {
        let from = self.edges[edge].room.position().unwrap_or_default();
        let members = Members::default();
        match effect {
            Effect::Read {
                ticket,
                range,
                limit,
                ..
            } => self.edges[edge].due.push(Due::Read(Read {
                ticket,
                range,
                limit,
                from,
            })),
            Effect::AwaitTurn { ticket, .. } => self.edges[edge].due.push(Due::Turn(ticket)),
            Effect::Deliver(frame) => self.tell(edge, &frame.encode()),
            Effect::Tell(told) => {
                self.meet(&format!("told {:?}", told.catch.reason));
                self.tell(edge, &told.frame(&room(), &members).encode());
            }
            Effect::Page { reader, told } => {
                if told.is_joined {
                    self.meet(&format!("resume {:?}", told.catch.reason));
                } else {
                    self.meet("page");
                }
                let frame = told.frame(&room(), &members);
                self.sockets[reader as usize].down.push_back(frame.encode());
            }
            Effect::Refuse {
                reader,
                retry_after,
            } => {
                self.meet("refuse");
                let error = ServerFrame::error(ErrorCode::Unavailable).retry_after(retry_after);
                let frame = ServerFrame::Error(Box::new(error.in_room(room())));
                self.sockets[reader as usize].down.push_back(frame.encode());
            }
            Effect::Follow { reader } => {
                self.edges[edge].followers.insert(reader as usize);
            }
        }
    }

    fn tell(&mut self, edge: usize, encoded: &str) {
        for &socket in &self.edges[edge].followers {
            self.sockets[socket].down.push_back(encoded.to_owned());
        }
    }
}

/// The second mistake: whatever comes after the own number is taken for what follows.
fn unverified(read: Read, stretch: Stretch) -> Stretch {
    let mut before = read.from;
    let follows = |entry: &Entry| entry.link.seq > read.from.seq;
    let entries = stretch
        .entries
        .into_iter()
        .filter(follows)
        .map(|mut entry| {
            entry.link.from = before.seq + 1;
            entry.link.prev = before.tag;
            before = entry.link.position();
            entry
        });
    let entries: Vec<Entry> = entries.collect();
    Stretch {
        before_first: Some(read.from),
        head: Position::new(stretch.head.seq.max(read.from.seq), stretch.head.tag),
        more: stretch.more && !entries.is_empty(),
        entries,
        ..stretch
    }
}

fn room() -> RoomName {
    RoomName::parse("general").expect("a literal of the right form")
}
