use clustertalk_core::delivery::{Offer, RoomCursor};
use clustertalk_core::ids::Position;
use clustertalk_core::log::Link;

/// How publications are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    ByTags,
    /// The mistake that the design exists for.
    NumbersAlone,
}

/// The core's cursor, or one that is deliberately broken.
pub struct Cursor {
    inner: RoomCursor,
    judgement: Judgement,
}

impl Cursor {
    pub fn new(position: Position, capacity: usize, judgement: Judgement) -> Self {
        Self {
            inner: RoomCursor::new(position, capacity),
            judgement,
        }
    }

    pub fn position(&self) -> Position {
        self.inner.position()
    }

    pub fn inner(&self) -> &RoomCursor {
        &self.inner
    }

    pub fn turn(&mut self, start: Position) {
        self.inner.turn(start);
    }

    pub fn advance(&mut self, position: Position) {
        self.inner.advance(position);
    }

    pub fn offer(&mut self, link: &Link) -> Offer {
        if self.judgement == Judgement::ByTags {
            return self.inner.offer(link);
        }
        let own = self.position().seq;
        if link.from == own + 1 {
            self.inner.advance(link.position());
            Offer::Deliver
        } else if link.seq <= own {
            Offer::Drop
        } else {
            Offer::Fetch
        }
    }
}
