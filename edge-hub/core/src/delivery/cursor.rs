use crate::ids::{Position, Tag};
use crate::log::Link;
use std::collections::VecDeque;

/// What to do with a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is the next one: the cursor has advanced over it.
    Deliver,
    /// It was delivered before, this very entry.
    Drop,
    /// Something is missing, or this is another log: read from the cursor's own entry on.
    Fetch,
}

/// Where a reader stands in a room's log, and the last tags it passed.
///
/// A publication is a hint, never trusted to be whole: one is delivered only if it hangs on the
/// cursor's own tag, and dropped only if it is known to have been delivered. Everything else is
/// settled by reading the log ([`super::catch_up`]).
#[derive(Clone, Debug)]
pub struct RoomCursor {
    position: Position,
    /// The last entries passed, oldest first, at most `capacity`; the newest is `position`.
    passed: VecDeque<Position>,
    capacity: usize,
}

impl RoomCursor {
    /// A cursor at `position` that remembers up to `capacity` tags (1,024 on an edge, 128 on a client).
    pub fn new(position: Position, capacity: usize) -> Self {
        Self {
            position,
            passed: VecDeque::from([position]),
            capacity: capacity.max(1),
        }
    }

    pub const fn position(&self) -> Position {
        self.position
    }

    /// Judges one publication, and advances over it if it is the next one.
    pub fn offer(&mut self, link: &Link) -> Offer {
        if link.before() == self.position {
            self.advance(link.position());
            return Offer::Deliver;
        }
        if self.tag_at(link.seq) == Some(link.tag) {
            Offer::Drop
        } else {
            Offer::Fetch
        }
    }

    /// Takes the position at which a new truth begins, as `joined` does. Beyond what was passed
    /// nothing tells whether it is the same branch of the log.
    pub fn turn(&mut self, start: Position) {
        if start.seq > self.position.seq {
            self.passed.clear();
        }
        self.advance(start);
    }

    /// Takes a position that the log itself vouches for: what hangs on the own one, or one at or
    /// below it.
    pub fn advance(&mut self, position: Position) {
        if position.seq <= self.position.seq {
            if self.tag_at(position.seq) == Some(position.tag) {
                self.passed.retain(|passed| passed.seq < position.seq);
            } else {
                // Another log, or another branch of it: what was passed says nothing of it.
                self.passed.clear();
            }
        }
        self.passed.push_back(position);
        if self.passed.len() > self.capacity {
            self.passed.pop_front();
        }
        self.position = position;
    }

    /// The tag passed at `seq`, as far back as remembered.
    pub fn tag_at(&self, seq: u64) -> Option<Tag> {
        let index = self
            .passed
            .binary_search_by_key(&seq, |passed| passed.seq)
            .ok()?;
        Some(self.passed[index].tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(bits: u64) -> Tag {
        Tag::from_bits(bits)
    }

    fn link(seq: u64, prev: u64, own: u64) -> Link {
        Link {
            from: seq,
            seq,
            prev: tag(prev),
            tag: tag(own),
        }
    }

    #[test]
    fn another_entry_with_a_known_number_is_not_dropped() {
        let mut cursor = RoomCursor::new(Position::ORIGIN, 8);
        assert_eq!(cursor.offer(&link(1, 0, 11)), Offer::Deliver);
        assert_eq!(cursor.offer(&link(1, 0, 11)), Offer::Drop);
        assert_eq!(cursor.offer(&link(1, 0, 12)), Offer::Fetch);
    }

    #[test]
    fn what_is_no_longer_remembered_is_fetched() {
        let mut cursor = RoomCursor::new(Position::ORIGIN, 2);
        for seq in 1..=4 {
            assert_eq!(cursor.offer(&link(seq, seq - 1, seq)), Offer::Deliver);
        }
        assert_eq!(cursor.offer(&link(3, 2, 3)), Offer::Drop);
        assert_eq!(cursor.offer(&link(2, 1, 2)), Offer::Fetch);
    }

    #[test]
    fn a_span_is_one_step() {
        let mut cursor = RoomCursor::new(Position::new(4, tag(4)), 8);
        let span = Link {
            from: 5,
            seq: 9,
            prev: tag(4),
            tag: tag(9),
        };
        assert_eq!(cursor.offer(&span), Offer::Deliver);
        assert_eq!(cursor.position(), Position::new(9, tag(9)));
    }

    #[test]
    fn beyond_what_was_passed_nothing_is_known_of_what_was() {
        let mut cursor = RoomCursor::new(Position::new(2, tag(2)), 8);
        cursor.turn(Position::new(9, tag(99)));
        assert_eq!(cursor.tag_at(2), None);
        assert_eq!(cursor.offer(&link(10, 99, 100)), Offer::Deliver);
        cursor.turn(Position::new(9, tag(99)));
        assert_eq!(cursor.tag_at(9), Some(tag(99)));
    }

    #[test]
    fn after_a_rewind_the_other_branch_is_forgotten() {
        let mut cursor = RoomCursor::new(Position::ORIGIN, 8);
        for seq in 1..=3 {
            cursor.offer(&link(seq, seq - 1, seq));
        }
        cursor.advance(Position::new(2, tag(22)));
        assert_eq!(cursor.tag_at(1), None);
        assert_eq!(cursor.offer(&link(3, 22, 33)), Offer::Deliver);
    }
}
