//! A host, as far as delivery goes: one cursor a room, followers, and those who catch up.

use super::cursor::Cursor;
use super::transitions::World;
use clustertalk_core::delivery::{
    Catch, CatchUp, Offer, Publication, catch_up, frame, joined, page,
};
use clustertalk_core::ids::{Position, RoomName};
use clustertalk_core::log::Entry;
use clustertalk_core::store::{Members, Range, Stretch};
use std::collections::{BTreeMap, BTreeSet};

/// Entries in one page, so few that pages are common.
const PAGE: usize = 3;
/// Tags that an edge remembers; few, so that forgetting is exercised.
pub const TAGS: usize = 16;

pub struct Edge {
    pub cursor: Cursor,
    pub followers: BTreeSet<usize>,
    pub catching_up: BTreeMap<usize, CatchingUp>,
}

#[derive(Clone, Copy)]
pub struct CatchingUp {
    since: Option<Position>,
    /// Whether `joined` is still to be sent.
    first: bool,
}

impl World {
    /// Subscribed, and stands at the head.
    pub fn open_edge(&mut self) -> Edge {
        let head = self.redis.store.head();
        Edge {
            cursor: Cursor::new(head, TAGS, self.rules.judgement),
            followers: BTreeSet::new(),
            catching_up: BTreeMap::new(),
        }
    }

    pub fn published(&mut self, edge: usize, payload: &str) {
        let Ok(Some(Publication::Entry(entry))) = Publication::parse(payload.as_bytes()) else {
            panic!("the model publishes entries: {payload}");
        };
        match self.edges[edge].cursor.offer(&entry.link) {
            Offer::Deliver => self.deliver(edge, &entry),
            Offer::Drop => {}
            Offer::Fetch => self.fetch(edge),
        }
    }

    pub fn attach(&mut self, socket: usize, since: Option<Position>) {
        let edge = self.sockets[socket].edge;
        self.detach(socket);
        self.edges[edge]
            .catching_up
            .insert(socket, CatchingUp { since, first: true });
    }

    pub fn detach(&mut self, socket: usize) {
        let edge = &mut self.edges[self.sockets[socket].edge];
        edge.followers.remove(&socket);
        edge.catching_up.remove(&socket);
    }

    fn deliver(&mut self, edge: usize, entry: &Entry) {
        let encoded = frame(&room(), entry).encode();
        self.tell(edge, &encoded);
    }

    fn tell(&mut self, edge: usize, encoded: &str) {
        for &socket in &self.edges[edge].followers {
            self.sockets[socket].down.push_back(encoded.to_owned());
        }
    }

    /// Reads the log from the cursor on, and tells the followers what it says.
    pub fn fetch(&mut self, edge: usize) {
        loop {
            let position = self.edges[edge].cursor.position();
            let stretch = self.redis.store.read(Range::After(position.seq), PAGE);
            let more = stretch.more;
            let (segments, goes_on) = match self.judge(position, stretch) {
                CatchUp::Segments(segments) => (segments, more),
                CatchUp::Diverged => {
                    let tail = self.redis.store.read(Range::Tail, PAGE);
                    (CatchUp::recent(true, tail), false)
                }
            };
            for catch in segments {
                self.take(edge, &catch);
            }
            if !goes_on {
                return;
            }
        }
    }

    fn judge(&self, position: Position, stretch: Stretch) -> CatchUp {
        if self.rules.verify {
            catch_up(position, stretch)
        } else {
            CatchUp::Segments(unverified(position, stretch.entries))
        }
    }

    fn take(&mut self, edge: usize, catch: &Catch) {
        if catch.reason.is_none() {
            for entry in &catch.entries {
                self.edges[edge].cursor.advance(entry.link.position());
                self.deliver(edge, entry);
            }
            return;
        }
        self.meet(&format!("told {:?}", catch.reason));
        let told = joined(&room(), catch, catch.position, false, &Members::default());
        self.tell(edge, &told.encode());
        let start = catch
            .entries
            .first()
            .map_or(catch.position, |entry| entry.link.before());
        let cursor = &mut self.edges[edge].cursor;
        cursor.advance(start);
        for entry in &catch.entries {
            cursor.advance(entry.link.position());
        }
    }

    /// One page for one who catches up; after the last he follows.
    pub fn page(&mut self, edge: usize, socket: usize) {
        let CatchingUp { since, mut first } = self.edges[edge].catching_up[&socket];
        let store = &self.redis.store;
        let tail = || store.read(Range::Tail, PAGE);
        let (segments, head, more) = match since {
            None => (CatchUp::recent(false, tail()), store.head(), false),
            Some(position) => {
                let stretch = store.read(Range::After(position.seq), PAGE);
                let more = stretch.more;
                match self.judge(position, stretch) {
                    CatchUp::Segments(segments) => (segments, store.head(), more),
                    CatchUp::Diverged => (CatchUp::recent(true, tail()), store.head(), false),
                }
            }
        };
        let mut position = since;
        for catch in &segments {
            position = Some(catch.position);
            self.meet(&format!("resume {:?}", catch.reason));
            let frame = if first || catch.reason.is_some() {
                joined(&room(), catch, head, true, &Members::default())
            } else {
                page(&room(), catch, head, true)
            };
            first = false;
            self.sockets[socket].down.push_back(frame.encode());
        }
        if more {
            self.meet("page");
            self.edges[edge].catching_up.insert(
                socket,
                CatchingUp {
                    since: position,
                    first,
                },
            );
            return;
        }
        // He has what the log has; the room must stand there too before he follows.
        self.fetch(edge);
        let position = self.edges[edge].cursor.position();
        let last = Catch {
            recovered: true,
            reason: None,
            lost: None,
            entries: Vec::new(),
            position,
        };
        self.sockets[socket]
            .down
            .push_back(page(&room(), &last, position, false).encode());
        let edge = &mut self.edges[edge];
        edge.catching_up.remove(&socket);
        edge.followers.insert(socket);
    }
}

/// The second mistake: whatever comes after the own number is taken for what follows.
fn unverified(position: Position, entries: Vec<Entry>) -> Vec<Catch> {
    let entries: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| entry.link.seq > position.seq)
        .collect();
    let position = entries.last().map_or(position, |last| last.link.position());
    vec![Catch {
        recovered: true,
        reason: None,
        lost: None,
        entries,
        position,
    }]
}

fn room() -> RoomName {
    RoomName::parse("general").expect("a literal of the right form")
}
