//! What waits to be written to one connection.
//!
//! A [`Queue`] is the half of a connection that any task may touch: frames are pushed from
//! anywhere without waiting, and the connection's own task writes them. It holds shared bytes up
//! to a limit and frees its memory whenever it is empty. Whoever reads too slowly for the limit is
//! closed with [`close_code::SLOW_CONSUMER`]; nobody else notices.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};

use crate::websocket::{close_code, encode_close};

/// Bytes that may wait for one connection: 256 KiB.
pub const DEFAULT_QUEUE_BYTES: usize = 256 * 1024;

/// The most frames given to one system call.
pub(crate) const BATCH_FRAMES: usize = 32;

/// What a queued frame costs beside its bytes, so that many tiny frames are bounded too.
const FRAME_OVERHEAD: usize = size_of::<Bytes>();

/// Frames on their way to one connection; see the module's documentation.
#[derive(Debug)]
pub struct Queue {
    limit: usize,
    /// Sweeps of the registry since the peer was heard.
    silent: AtomicU32,
    state: Mutex<State>,
}

/// What became of a pushed frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be written, unless the connection ends first.
    Queued,
    /// It did not fit: what was queued is dropped and the connection is being closed with
    /// [`close_code::SLOW_CONSUMER`].
    Full,
    /// The connection is closing or gone.
    Closed,
}

/// The connection closed before what was waited for had been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct Closed;

#[derive(Debug)]
struct State {
    phase: Phase,
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Leading frames that a write under way may be sending.
    in_flight: usize,
    /// The first frame was written in part: it must stay the first.
    partial: bool,
    /// Frames ever queued and ever written.
    queued: u64,
    written: u64,
    nudged: bool,
    /// The connection's task, while it sleeps.
    task: Option<Waker>,
    /// Who waits until `written` reaches a number.
    drained: Vec<(u64, Waker)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// The last frame is a close frame with this code.
    Closing(u16),
    Closed,
}

/// What a connection's task finds in its queue.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) phase: Phase,
    pub(crate) nudged: bool,
    /// Frames put into the batch.
    pub(crate) frames: usize,
}

impl Queue {
    /// `limit` is how many bytes may wait, at 32 bytes a frame beside its own.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            silent: AtomicU32::new(0),
            state: Mutex::new(State {
                phase: Phase::Open,
                frames: VecDeque::new(),
                bytes: 0,
                in_flight: 0,
                partial: false,
                queued: 0,
                written: 0,
                nudged: false,
                task: None,
                drained: Vec::new(),
            }),
        }
    }

    /// Queues one encoded frame. The connection's task is woken only if it had nothing to write.
    pub fn push(&self, frame: Bytes) -> Pushed {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return Pushed::Closed;
        }
        if state.bytes + frame.len() + FRAME_OVERHEAD > self.limit {
            state.drop_unstarted();
            let reason = "the client read too slowly and its queue was full";
            self.close_locked(state, close_code::SLOW_CONSUMER, reason);
            return Pushed::Full;
        }
        let sleeper = if state.frames.is_empty() {
            state.task.take()
        } else {
            None
        };
        state.append(frame);
        drop(state);
        if let Some(task) = sleeper {
            task.wake();
        }
        Pushed::Queued
    }

    /// Ends the connection with this code after what was queued. Only the first call counts.
    pub fn close_with(&self, code: u16, reason: &str) {
        let state = self.state();
        if state.phase == Phase::Open {
            self.close_locked(state, code, reason);
        }
    }

    /// Waits until everything queued so far was handed to the kernel.
    ///
    /// # Errors
    /// The connection is closing or gone, so it may never be.
    pub async fn drained(&self) -> Result<(), Closed> {
        let target = self.state().queued;
        poll_fn(|context| self.poll_drained(target, context)).await
    }

    /// Has the connection's task call [`Handler::woken`](crate::socket::Handler::woken) as soon
    /// as no other call runs. Nudges that come before that are one.
    pub fn nudge(&self) {
        let mut state = self.state();
        if state.phase != Phase::Open || std::mem::replace(&mut state.nudged, true) {
            return;
        }
        let sleeper = state.task.take();
        drop(state);
        if let Some(task) = sleeper {
            task.wake();
        }
    }

    /// Bytes that wait, at 32 bytes a frame beside its own.
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Whether frames are still taken.
    pub fn is_open(&self) -> bool {
        self.state().phase == Phase::Open
    }

    /// The peer gave a sign of life.
    pub(crate) fn heard(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// Counts one sweep and gives how many passed since the peer was heard.
    pub(crate) fn count_sweep(&self) -> u32 {
        self.silent.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Copies the next frames into `batch` and has `task` woken by whatever comes next. If there
    /// are any, [`Queue::written`] must be called before anything is awaited.
    pub(crate) fn outgoing(&self, task: &Waker, batch: &mut [Bytes; BATCH_FRAMES]) -> Outgoing {
        let mut state = self.state();
        match &mut state.task {
            Some(stored) => stored.clone_from(task),
            none => *none = Some(task.clone()),
        }
        let frames = state.frames.len().min(BATCH_FRAMES);
        for (slot, frame) in batch.iter_mut().zip(&state.frames) {
            *slot = frame.clone();
        }
        state.in_flight = frames;
        Outgoing {
            phase: state.phase,
            nudged: state.nudged,
            frames,
        }
    }

    /// The kernel took this many bytes of the last batch.
    pub(crate) fn written(&self, mut bytes: usize) {
        let mut state = self.state();
        state.in_flight = 0;
        while let Some(first) = state.frames.front_mut() {
            let length = first.len();
            if bytes < length {
                first.advance(bytes);
                state.bytes -= bytes;
                state.partial |= bytes > 0;
                break;
            }
            bytes -= length;
            state.frames.pop_front();
            state.bytes -= length + FRAME_OVERHEAD;
            state.partial = false;
            state.written += 1;
        }
        if state.frames.is_empty() {
            state.frames = VecDeque::new();
        }
        let written = state.written;
        let waiting = if state.drained.is_empty() {
            Vec::new()
        } else {
            state
                .drained
                .extract_if(.., |(target, _)| *target <= written)
                .collect()
        };
        drop(state);
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// Forgets a nudge: it is being acted on.
    pub(crate) fn take_nudge(&self) {
        self.state().nudged = false;
    }

    /// The connection is gone: frees everything and lets those who wait go on.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.phase = Phase::Closed;
        state.frames = VecDeque::new();
        state.bytes = 0;
        state.in_flight = 0;
        state.task = None;
        let waiting = std::mem::take(&mut state.drained);
        drop(state);
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    fn close_locked(&self, mut state: MutexGuard<'_, State>, code: u16, reason: &str) {
        state.append(encode_close(code, reason));
        state.phase = Phase::Closing(code);
        let sleeper = state.task.take();
        let waiting = std::mem::take(&mut state.drained);
        drop(state);
        for waker in sleeper
            .into_iter()
            .chain(waiting.into_iter().map(|(_, waker)| waker))
        {
            waker.wake();
        }
    }

    fn poll_drained(&self, target: u64, context: &Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.state();
        if state.written >= target {
            return Poll::Ready(Ok(()));
        }
        if state.phase != Phase::Open {
            return Poll::Ready(Err(Closed));
        }
        let known = |(waits_for, waker): &(u64, Waker)| {
            *waits_for == target && waker.will_wake(context.waker())
        };
        if !state.drained.iter().any(known) {
            state.drained.push((target, context.waker().clone()));
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, frame: Bytes) {
        self.bytes += frame.len() + FRAME_OVERHEAD;
        self.queued += 1;
        self.frames.push_back(frame);
    }

    /// Drops the frames of which nothing was written: those that were must end whole.
    fn drop_unstarted(&mut self) {
        let keep = self.in_flight.max(usize::from(self.partial));
        self.frames.truncate(keep);
        self.bytes = self
            .frames
            .iter()
            .map(|frame| frame.len() + FRAME_OVERHEAD)
            .sum();
    }
}

#[cfg(test)]
mod tests;
