//! How fast a source is listened to: buckets by the generic cell rate algorithm.
//!
//! A bucket is one moment, at which it is full again. A full one is the same as none, so only those of
//! the last moments are kept, and a source that says nothing costs nothing.

use crate::time::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Buckets kept before those that are full are first looked for.
const FEW: usize = 1024;

/// The buckets of one kind of sources. Times are those of any clock that never goes back.
#[derive(Debug)]
pub struct Pace<K> {
    interval: Duration,
    burst: Duration,
    longest: Duration,
    full_at: HashMap<K, Timestamp>,
    /// At this many, those that are full are removed.
    most: usize,
}

impl<K: Eq + Hash> Pace<K> {
    /// Of one user, over all his connections on an edge: 20 frames a second, 60 at once.
    pub fn of_users() -> Self {
        Self::new(20, 60, Duration::from_secs(10))
    }

    /// Of one address: 100 frames a second, 300 at once. A connection waits less than the time in which
    /// `hello` must come.
    pub fn of_addresses() -> Self {
        Self::new(100, 300, Duration::from_secs(3))
    }

    /// `longest` bounds how long one connection waits, whoever else has used its bucket.
    pub fn new(per_second: u32, burst: u32, longest: Duration) -> Self {
        let interval = Duration::from_secs(1) / per_second;
        Self {
            interval,
            burst: interval * burst,
            longest,
            full_at: HashMap::new(),
            most: FEW,
        }
    }

    /// Takes one frame; answers how long to wait before the next one is read.
    pub fn take(&mut self, now: Timestamp, source: K) -> Duration {
        if self.full_at.len() >= self.most {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.most = FEW.max(2 * self.full_at.len());
        }
        let full_at = self.full_at.entry(source).or_insert(now);
        *full_at = (*full_at).max(now).after(self.interval);
        *full_at = (*full_at).min(now.after(self.burst + self.longest));
        full_at.since(now).saturating_sub(self.burst)
    }

    /// How long to wait before the first frame of a connection is read.
    pub fn wait(&self, now: Timestamp, source: &K) -> Duration {
        let full_at = self.full_at.get(source);
        full_at.map_or(Duration::ZERO, |full_at| {
            full_at.since(now).saturating_sub(self.burst)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(2);
    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn pace() -> Pace<u32> {
        Pace::new(10, 5, LONGEST)
    }

    #[test]
    fn connections_of_one_source_share_its_rate() {
        let mut pace = pace();
        let mut ready = [START; 3];
        // Each reads as soon as it may; the bucket decides how many that are together.
        let mut read = 0;
        let end = START.after(Duration::from_secs(10));
        while let Some(at) = ready.iter_mut().filter(|at| **at < end).min() {
            *at = at.after(pace.take(*at, 1));
            read += 1;
        }
        assert!((100..=110).contains(&read), "{read} in 10 s");
        assert!(!pace.wait(end, &1).is_zero());
        assert!(pace.wait(end, &2).is_zero());
    }

    #[test]
    fn a_burst_is_free_and_comes_back() {
        let mut pace = pace();
        let mut now = START;
        for _ in 0..2 {
            let free = (0..10).take_while(|_| pace.take(now, 1).is_zero());
            assert_eq!(free.count(), 5);
            now = now.after(Duration::from_secs(2));
        }
    }

    #[test]
    fn nobody_waits_for_ever_for_what_others_sent() {
        let mut pace = pace();
        let waits = (0..1000).map(|_| pace.take(START, 1));
        assert_eq!(waits.max(), Some(LONGEST));
    }

    #[test]
    fn only_buckets_in_use_are_kept() {
        let mut pace = pace();
        let mut now = START;
        for user in 0..100_000 {
            pace.take(now, user);
            now = now.after(Duration::from_millis(1));
        }
        // Each was full again after a tenth of a second.
        assert!(pace.full_at.len() <= FEW);
    }
}
