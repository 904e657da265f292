//! What one client shows, and what it was told of losses.

use clustertalk_core::ids::{Position, Seq};
use clustertalk_core::log::Link;
use std::collections::BTreeMap;

#[derive(Default)]
pub struct View {
    pub shown: BTreeMap<(Seq, TagText), Shown>,
    /// Numbers that were told to be gone, both included.
    pub gone: Vec<(Seq, Seq)>,
    /// What was delivered last, or where the last new truth ended.
    last: Position,
    /// A new truth may begin further back than what was shown: up to here nothing is output again.
    replayed_to: Seq,
}

/// A tag that can be ordered.
pub type TagText = String;

pub struct Shown {
    pub link: Link,
    pub lost: bool,
}

/// Where an entry came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Offered to the cursor, which said: deliver.
    Delivered,
    /// In a `joined` that is a new truth; it may repeat what is shown.
    Truth,
    /// In an answer to `history`.
    History,
}

impl View {
    pub fn show(&mut self, link: Link, source: Source) -> Result<(), String> {
        if source == Source::Delivered {
            if link.before() != self.last {
                return Err(format!("{} was delivered after {}", link.seq, self.last));
            }
            self.last = link.position();
        }
        let shown = self
            .shown
            .entry(key(link.position()))
            .or_insert(Shown { link, lost: true });
        if source == Source::Delivered && !shown.lost && link.seq > self.replayed_to {
            return Err(format!("{} was delivered twice", link.seq));
        }
        shown.lost = false;
        Ok(())
    }

    /// A new truth: what is delivered from here on hangs on `position`.
    pub fn turn(&mut self, position: Position) {
        self.replayed_to = self.replayed_to.max(self.last.seq);
        self.last = position;
    }

    pub fn lose(&mut self, position: Position) {
        if let Some(shown) = self.shown.get_mut(&key(position)) {
            shown.lost = true;
        }
    }

    pub fn positions(&self) -> impl Iterator<Item = Position> {
        self.shown
            .values()
            .filter(|shown| !shown.lost)
            .map(|shown| shown.link.position())
    }

    /// The entry and those that it hangs on, as far as they are shown.
    pub fn line_of(&self, position: Position) -> Vec<Position> {
        let mut line = Vec::new();
        let mut next = Some(position);
        while let Some(shown) = next.and_then(|position| self.shown.get(&key(position))) {
            line.push(shown.link.position());
            next = Some(shown.link.before());
        }
        line
    }

    pub fn is_gone(&self, seq: Seq) -> bool {
        self.gone.iter().any(|&(from, to)| from <= seq && seq <= to)
    }
}

fn key(position: Position) -> (Seq, TagText) {
    (position.seq, position.tag.to_string())
}
