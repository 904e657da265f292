//! How fast frames are read: of one user and of one address, over all their connections here.
//!
//! Buckets by the generic cell rate algorithm: one moment each, at which the bucket is full again.
//! A full bucket is the same as none, so only those of the last moments are kept, and a connection
//! that says nothing costs nothing.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::server::network;

/// Buckets kept before those that are full are first looked for.
const FEW: usize = 1024;

/// The buckets of an edge.
#[derive(Debug)]
pub struct Paces {
    /// 20 frames a second, 60 at once.
    pub users: Pace,
    /// 100 frames a second, 300 at once; an IPv6 /64 is one address. A socket waits less than the
    /// time in which `hello` must come.
    pub addresses: Pace,
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            users: Pace::new(20, 60, Duration::from_secs(10)),
            addresses: Pace::new(100, 300, Duration::from_secs(3)),
        }
    }
}

impl Paces {
    /// The bucket of the address that a connection comes from.
    pub fn address(&self, peer: IpAddr) -> Bucket {
        self.addresses.bucket(network(peer))
    }
}

/// Buckets of one kind.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    burst: Duration,
    longest: Duration,
    hasher: RandomState,
    buckets: Mutex<Buckets>,
    delays: AtomicU64,
}

/// Whose bucket it is, as a number that nobody outside can choose: strangers share one by chance
/// only, and hardly ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket(u64);

#[derive(Debug)]
struct Buckets {
    full_at: HashMap<Bucket, Instant>,
    /// At this many, those that are full are removed.
    most: usize,
}

impl Pace {
    /// `longest` bounds how long one socket waits, whoever else has used its bucket.
    pub fn new(per_second: u32, burst: u32, longest: Duration) -> Self {
        let interval = Duration::from_secs(1) / per_second;
        Self {
            interval,
            burst: interval * burst,
            longest,
            hasher: RandomState::new(),
            buckets: Mutex::new(Buckets {
                full_at: HashMap::new(),
                most: FEW,
            }),
            delays: AtomicU64::new(0),
        }
    }

    pub fn bucket(&self, of: impl Hash) -> Bucket {
        Bucket(self.hasher.hash_one(of))
    }

    /// Takes one frame; answers how long to wait before the next one is read.
    pub fn take(&self, now: Instant, bucket: Bucket) -> Duration {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.full_at.len() >= buckets.most {
            buckets.full_at.retain(|_, full_at| *full_at > now);
            buckets.most = FEW.max(2 * buckets.full_at.len());
        }
        let full_at = buckets.full_at.entry(bucket).or_insert(now);
        *full_at = (*full_at).max(now) + self.interval;
        *full_at = (*full_at).min(now + self.burst + self.longest);
        let wait = self.wait_until(now, *full_at);
        drop(buckets);
        if !wait.is_zero() {
            self.delays.fetch_add(1, Ordering::Relaxed);
        }
        wait
    }

    /// How long to wait before the first frame of a connection is read.
    pub fn wait(&self, now: Instant, bucket: Bucket) -> Duration {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.full_at.get(&bucket);
        full_at.map_or(Duration::ZERO, |full_at| self.wait_until(now, *full_at))
    }

    /// Frames after which a socket was read later.
    pub fn delays(&self) -> u64 {
        self.delays.load(Ordering::Relaxed)
    }

    fn wait_until(&self, now: Instant, full_at: Instant) -> Duration {
        full_at
            .saturating_duration_since(now)
            .saturating_sub(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(2);

    fn pace() -> Pace {
        Pace::new(10, 5, LONGEST)
    }

    #[test]
    fn sockets_of_one_bucket_share_its_rate() {
        let pace = pace();
        let (bucket, other) = (pace.bucket(1), pace.bucket(2));
        let start = Instant::now();
        let mut ready = [start; 3];
        // Each reads as soon as it may; the bucket decides how many that are together.
        let mut read = 0;
        let end = start + Duration::from_secs(10);
        while let Some(at) = ready.iter_mut().filter(|at| **at < end).min() {
            *at += pace.take(*at, bucket);
            read += 1;
        }
        assert!((100..=110).contains(&read), "{read} in 10 s");
        assert!(!pace.wait(end, bucket).is_zero());
        assert!(pace.wait(end, other).is_zero());
        assert!(pace.delays() > 80);
    }

    #[test]
    fn a_burst_is_free_and_comes_back() {
        let pace = pace();
        let bucket = pace.bucket(1);
        let mut now = Instant::now();
        for _ in 0..2 {
            let free = (0..10).take_while(|_| pace.take(now, bucket).is_zero());
            assert_eq!(free.count(), 5);
            now += Duration::from_secs(2);
        }
    }

    #[test]
    fn no_socket_waits_for_ever_for_what_others_sent() {
        let pace = pace();
        let bucket = pace.bucket(1);
        let now = Instant::now();
        let waits = (0..1000).map(|_| pace.take(now, bucket));
        assert_eq!(waits.max(), Some(LONGEST));
    }

    #[test]
    fn only_buckets_in_use_are_kept() {
        let pace = pace();
        let mut now = Instant::now();
        for user in 0..100_000 {
            pace.take(now, pace.bucket(user));
            now += Duration::from_millis(1);
        }
        // Each was full again after a tenth of a second.
        assert!(pace.buckets.lock().unwrap().full_at.len() <= FEW);
    }
}
