//! The sockets that live: to be counted, pinged and, at the end, closed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
    vec,
};

use bytes::Bytes;
use slab::Slab;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    queue::Queue,
    websocket::{close_code, encode_ping},
};

/// The queues of all sockets of a host.
#[derive(Debug)]
pub struct Registry {
    queue_bytes: usize,
    queues: Mutex<Slab<Arc<Queue>>>,
    emptied: Notify,
}

/// A place in the registry, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    registry: Arc<Registry>,
    key: usize,
}

/// Looks at so many at a time: the lock is never held over all of them.
const CHUNK: usize = 256;

/// A silent socket is noticed with a precision of a tenth of the interval.
const SWEEPS_PER_INTERVAL: u32 = 10;

impl Registry {
    pub(super) fn new(queue_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            queue_bytes,
            queues: Mutex::default(),
            emptied: Notify::new(),
        })
    }

    pub(super) fn enter(self: &Arc<Self>) -> (Seat, Arc<Queue>) {
        let queue = Arc::new(Queue::new(self.queue_bytes));
        let key = self.lock().insert(Arc::clone(&queue));
        (
            Seat {
                registry: Arc::clone(self),
                key,
            },
            queue,
        )
    }

    /// How many sockets live. One counts until its handler's `closed` is done.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that wait to be written to all sockets.
    pub fn queue_bytes(&self) -> usize {
        self.queues().map(|queue| queue.bytes()).sum()
    }

    /// The queue of each socket. Those that come or go meanwhile may be missed or seen.
    pub fn queues(&self) -> Queues<'_> {
        Queues {
            registry: self,
            next: 0,
            chunk: Vec::new().into_iter(),
        }
    }

    /// Moves all sockets elsewhere. Each is told at once how long it has (`notice` makes the frame)
    /// and closed with [`close_code::DRAINING`] when that is over: in the second half of this
    /// time, evenly, so that those who come back do not come all at once. Call it when nothing is
    /// accepted any more.
    pub async fn drain(&self, over: Duration, notice: impl Fn(Duration) -> Bytes) {
        const STEPS: usize = 100;
        let queues: Vec<_> = self.queues().collect();
        let chunks = queues.chunks(queues.len().div_ceil(STEPS).max(1));
        let (steps, half) = (chunks.len() as u32, over / 2);
        let chunks = (1..).zip(chunks);
        let begun = Instant::now();
        let left = |step: u32| half + half * step / steps;
        for (step, chunk) in chunks.clone() {
            let notice = notice(left(step));
            for queue in chunk {
                // One that cannot take it has closed the connection by itself.
                queue.push(notice.clone());
            }
        }
        let reason = "the edge is going away";
        for (step, chunk) in chunks {
            sleep_until(begun + left(step)).await;
            for queue in chunk {
                queue.close_with(close_code::DRAINING, reason);
            }
        }
        for late in self.queues() {
            late.close_with(close_code::DRAINING, reason);
        }
    }

    /// Waits until no socket lives.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Pings those who were silent for an interval and closes those silent for two.
    fn sweep(&self, ping: &Bytes) {
        for queue in self.queues() {
            match queue.count_sweep() {
                SWEEPS_PER_INTERVAL => {
                    // A queue that cannot take it has closed the connection by itself.
                    let _ = queue.push(ping.clone());
                }
                silent if silent >= 2 * SWEEPS_PER_INTERVAL => {
                    queue.close_with(close_code::IDLE, "no answer to a ping");
                }
                _ => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut queues = self.registry.lock();
        // Also where the socket never began or its handler panicked.
        queues.remove(self.key).end();
        if queues.is_empty() {
            self.registry.emptied.notify_waiters();
        }
    }
}

/// Iterates over the queues of a [`Registry`].
#[derive(Debug)]
pub struct Queues<'a> {
    registry: &'a Registry,
    next: usize,
    chunk: vec::IntoIter<Arc<Queue>>,
}

impl Iterator for Queues<'_> {
    type Item = Arc<Queue>;

    fn next(&mut self) -> Option<Arc<Queue>> {
        loop {
            if let Some(queue) = self.chunk.next() {
                return Some(queue);
            }
            let queues = self.registry.lock();
            if self.next >= queues.capacity() {
                return None;
            }
            let end = self.next + CHUNK;
            let chunk: Vec<_> = (self.next..end)
                .filter_map(|key| queues.get(key).cloned())
                .collect();
            self.next = end;
            self.chunk = chunk.into_iter();
        }
    }
}

/// Sweeps until the registry is gone.
pub(super) async fn sweep(registry: Weak<Registry>, ping_interval: Duration) {
    let ping = encode_ping(b"");
    let mut ticks = interval(ping_interval / SWEEPS_PER_INTERVAL);
    // After the machine slept, missed sweeps must not count as silence.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(registry) = registry.upgrade() else {
            return;
        };
        registry.sweep(&ping);
    }
}
