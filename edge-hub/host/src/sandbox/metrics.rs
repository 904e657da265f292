//! Counters of one component.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{digest::Digest, error::CallError};

/// Upper bounds of the buckets of [`Times`], in seconds; one more bucket takes the rest.
pub const TIME_BOUNDS: [f64; 14] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.5, 2.5,
];

/// How long something takes, each time.
#[derive(Default)]
pub(crate) struct Times {
    buckets: [AtomicU64; TIME_BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// [`Times`] at one moment.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Not cumulative: one count for each of [`TIME_BOUNDS`] and one for longer ones.
    pub counts: Vec<u64>,
    /// All of them together.
    pub sum: Duration,
}

impl Times {
    pub fn add(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let bucket = TIME_BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanoseconds
            .fetch_add(elapsed.as_nanos() as u64, Relaxed);
    }

    pub fn snapshot(&self) -> Histogram {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        Histogram {
            counts: counts.collect(),
            sum: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
        }
    }
}

/// Live counters.
#[derive(Default)]
pub(crate) struct Metrics {
    running: AtomicU64,
    instantiations: AtomicU64,
    swaps: AtomicU64,
    swap_nanoseconds: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    memory: AtomicU64,
    wall: AtomicU64,
    busy: AtomicU64,
    refused: AtomicU64,
    call_times: Times,
}

/// The counters of one component at one moment, all since the start of the process.
#[derive(Clone, Debug)]
pub struct ComponentMetrics {
    /// `hub`, `web`, `moderation`, `analytics`, …
    pub component: String,
    /// Which build is running.
    pub digest: Digest,
    /// Calls under way, responses that stream included.
    pub running: u64,
    /// Instances made.
    pub instantiations: u64,
    /// Builds switched to while running.
    pub swaps: u64,
    /// From the moment that the last of them was in its place until it served.
    pub swap_time: Duration,
    /// Calls that trapped.
    pub traps: u64,
    /// Calls stopped at their CPU deadline.
    pub deadlines: u64,
    /// Calls stopped at their memory cap.
    pub memory: u64,
    /// Calls stopped at the wall limit.
    pub wall: u64,
    /// Calls refused because too many were running.
    pub busy: u64,
    /// Calls that the component answered with an error.
    pub refused: u64,
    /// Finished calls by time, waiting included.
    pub call_times: Histogram,
}

/// A call under way.
pub(crate) struct Call<'a>(&'a Metrics);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    pub fn begin(&self) -> Call<'_> {
        self.running.fetch_add(1, Relaxed);
        Call(self)
    }

    pub fn instantiated(&self) {
        self.instantiations.fetch_add(1, Relaxed);
    }

    /// Notes a switch to another build, so long after that was in its place.
    pub fn swapped(&self, after: Duration) {
        self.swap_nanoseconds
            .store(after.as_nanos() as u64, Relaxed);
        self.swaps.fetch_add(1, Relaxed);
    }

    /// Counts one finished call.
    pub fn called<R>(&self, elapsed: Duration, result: &Result<R, CallError>) {
        self.answered(elapsed);
        if let Err(error) = result {
            self.failed(error);
        }
    }

    /// Counts the time of a call, or of a streaming one until its answer began.
    pub fn answered(&self, elapsed: Duration) {
        self.call_times.add(elapsed);
    }

    /// Counts how a call failed.
    pub fn failed(&self, error: &CallError) {
        let counter = match error {
            CallError::NoHandler => return,
            CallError::Trap(_) => &self.traps,
            CallError::Deadline => &self.deadlines,
            CallError::Memory => &self.memory,
            CallError::Wall => &self.wall,
            CallError::Busy => &self.busy,
            CallError::Refused(_) => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub fn snapshot(&self, component: &str, digest: Digest) -> ComponentMetrics {
        ComponentMetrics {
            component: component.to_owned(),
            digest,
            running: self.running.load(Relaxed),
            instantiations: self.instantiations.load(Relaxed),
            swaps: self.swaps.load(Relaxed),
            swap_time: Duration::from_nanos(self.swap_nanoseconds.load(Relaxed)),
            traps: self.traps.load(Relaxed),
            deadlines: self.deadlines.load(Relaxed),
            memory: self.memory.load(Relaxed),
            wall: self.wall.load(Relaxed),
            busy: self.busy.load(Relaxed),
            refused: self.refused.load(Relaxed),
            call_times: self.call_times.snapshot(),
        }
    }
}
