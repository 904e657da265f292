//! How fast frames are read: of one user and of one address, over all their connections here.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clustertalk_core::limits::pace::Pace;

use crate::{clock, server::network};

/// The buckets of an edge.
#[derive(Debug)]
pub struct Paces {
    pub users: Buckets,
    /// An IPv6 /64 is one address.
    pub addresses: Buckets,
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            users: Buckets::new(Pace::of_users()),
            addresses: Buckets::new(Pace::of_addresses()),
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
pub struct Buckets {
    hasher: RandomState,
    pace: Mutex<Pace<Bucket>>,
    delays: AtomicU64,
}

/// Whose bucket it is, as a number that nobody outside can choose: strangers share one by chance
/// only, and hardly ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket(u64);

impl Buckets {
    fn new(pace: Pace<Bucket>) -> Self {
        Self {
            hasher: RandomState::new(),
            pace: Mutex::new(pace),
            delays: AtomicU64::new(0),
        }
    }

    pub fn bucket(&self, of: impl Hash) -> Bucket {
        Bucket(self.hasher.hash_one(of))
    }

    /// Takes one frame; answers how long to wait before the next one is read.
    pub fn take(&self, bucket: Bucket) -> Duration {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = pace.take(clock::steady(), bucket);
        drop(pace);
        if !wait.is_zero() {
            self.delays.fetch_add(1, Ordering::Relaxed);
        }
        wait
    }

    /// How long to wait before the first frame of a connection is read.
    pub fn wait(&self, bucket: Bucket) -> Duration {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.wait(clock::steady(), &bucket)
    }

    /// Frames after which a socket was read later.
    pub fn delays(&self) -> u64 {
        self.delays.load(Ordering::Relaxed)
    }
}
