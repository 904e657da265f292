//! Memory and CPU time of one store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, PoolConcurrencyLimitError, ResourceLimiter, Store, Trap, UpdateDeadline};

use super::error::CallError;
use crate::application::Caps;

/// How much host memory one call may make the host allocate for what it passes: 2 MiB.
const TRANSFER_BYTES: usize = 2 << 20;

/// Counts what the guest of one store uses.
pub(crate) struct Guard {
    memory: MemoryCap,
    meter: Meter,
}

/// Data of a store that is watched.
pub(crate) trait Guarded: Send + 'static {
    fn guard(&mut self) -> &mut Guard;
}

/// How CPU time is granted.
#[derive(Clone, Copy)]
pub(crate) enum Allowance {
    /// So much for the whole call.
    Total(Duration),
    /// So much, and a twentieth of the time that passes: for responses that stream for hours.
    Streaming(Duration),
}

/// The part of a core that a streaming response may use for long: 1/20.
const STREAMING_SHARE: u32 = 20;

impl Guard {
    pub fn new(memory_bytes: usize, allowance: Allowance) -> Self {
        Self {
            memory: MemoryCap {
                limit: memory_bytes,
                used: 0,
                exceeded: false,
            },
            meter: Meter {
                allowance,
                began: Instant::now(),
                used: Duration::ZERO,
                since: Arc::new(AtomicU64::new(IDLE)),
                exceeded: false,
            },
        }
    }

    /// A guard for one call.
    pub fn of(caps: &Caps) -> Self {
        Self::new(caps.memory_bytes, Allowance::Total(caps.deadline))
    }

    /// Grants the whole allowance again, for the next call of a reused instance.
    pub fn renew(&mut self) {
        self.meter.began = Instant::now();
        self.meter.used = Duration::ZERO;
    }

    /// Why a call failed, once it did.
    pub fn explain(&self, error: &wasmtime::Error) -> CallError {
        if self.meter.exceeded {
            CallError::Deadline
        } else if self.memory.exceeded {
            CallError::Memory
        } else if error.is::<PoolConcurrencyLimitError>() {
            CallError::Busy
        } else {
            CallError::Trap(describe(error))
        }
    }
}

/// The trap's own sentence, without the backtrace around it.
fn describe(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

/// Makes a store whose guest cannot outrun its guard.
pub(crate) fn guarded_store<T: Guarded>(engine: &Engine, data: T) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.set_hostcall_fuel(TRANSFER_BYTES);
    store.limiter(|data| &mut data.guard().memory);
    store.set_epoch_deadline(1);
    store.call_hook(|mut context, hook| {
        if hook.exiting_host() {
            // However long the import took, the guest has a whole tick before it is looked at.
            context.set_epoch_deadline(1);
            context.data_mut().guard().meter.start();
            return Ok(());
        }
        match context.data_mut().guard().meter.stop() {
            true => Ok(()),
            false => Err(Trap::Interrupt.into()),
        }
    });
    store.epoch_deadline_callback(|mut context| {
        let meter = &mut context.data_mut().guard().meter;
        if !meter.stop() {
            return Ok(UpdateDeadline::Interrupt);
        }
        // Let others use this thread; the time until the guest runs on is not its own.
        let since = Arc::clone(&meter.since);
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                tokio::task::yield_now().await;
                since.store(thread_time(), Ordering::Relaxed);
            }),
        ))
    });
    store
}

/// Caps all linear memories of a store together.
struct MemoryCap {
    limit: usize,
    used: usize,
    exceeded: bool,
}

impl ResourceLimiter for MemoryCap {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used + desired.saturating_sub(current);
        if used > self.limit {
            self.exceeded = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The pool has a cap for each table.
        Ok(true)
    }

    // Against the pool's figures for a component these are never the narrower ones.
    fn instances(&self) -> usize {
        usize::MAX
    }
    fn tables(&self) -> usize {
        usize::MAX
    }
    fn memories(&self) -> usize {
        usize::MAX
    }
}

/// Counts the CPU time that this store's guest uses, on whatever thread it runs.
struct Meter {
    allowance: Allowance,
    began: Instant,
    used: Duration,
    /// The thread's CPU time when the guest last began to run; [`IDLE`] while it does not.
    since: Arc<AtomicU64>,
    exceeded: bool,
}

const IDLE: u64 = u64::MAX;

impl Meter {
    fn start(&self) {
        self.since.store(thread_time(), Ordering::Relaxed);
    }

    /// Adds the time since `start`. False when the allowance is used up.
    fn stop(&mut self) -> bool {
        let since = self.since.swap(IDLE, Ordering::Relaxed);
        if since != IDLE {
            self.used += Duration::from_nanos(thread_time().saturating_sub(since));
        }
        let allowed = match self.allowance {
            Allowance::Total(total) => total,
            Allowance::Streaming(burst) => burst + self.began.elapsed() / STREAMING_SHARE,
        };
        self.exceeded |= self.used > allowed;
        !self.exceeded
    }
}

/// CPU time of the current thread in nanoseconds: a busy machine does not age a guest.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
