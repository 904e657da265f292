//! What is on its way: publications to edges, and frames between edges and clients.

use super::random::Random;
use clustertalk_core::effect::Effect;
use std::collections::VecDeque;

/// Publications, each copy with the time of its arrival. They may be lost, doubled, delayed, and so
/// overtake each other.
#[derive(Default)]
pub struct Channel {
    under_way: Vec<(u64, usize, String)>,
}

impl Channel {
    pub fn publish(
        &mut self,
        now: u64,
        edges: usize,
        payload: &str,
        random: &mut Random,
        faults: bool,
    ) {
        for edge in 0..edges {
            let copies = match random.below(10) {
                0 if faults => 0,
                1 if faults => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let delay = if faults && random.percent(30) {
                    random.below(3000)
                } else {
                    0
                };
                self.under_way
                    .push((now + delay as u64, edge, payload.to_owned()));
            }
        }
    }

    /// The next that has arrived by now.
    pub fn arrived(&mut self, now: u64) -> Option<(usize, String)> {
        let index = self.under_way.iter().position(|(at, _, _)| *at <= now)?;
        let (_, edge, payload) = self.under_way.remove(index);
        Some((edge, payload))
    }

    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}

/// A socket between a client and an edge: in order until it is cut.
pub struct Socket {
    pub client: usize,
    pub edge: usize,
    pub up: VecDeque<String>,
    pub down: VecDeque<String>,
    /// The hub's bytes, in the edge's keeping.
    pub session: Vec<u8>,
    /// Of the call under way, which is yet to end; until then nothing more is read.
    pub unapplied: Vec<Effect>,
    pub identified: bool,
    pub open: bool,
}
