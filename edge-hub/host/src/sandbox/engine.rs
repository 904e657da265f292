//! The one wasmtime engine of the process, and the clock that interrupts its guests.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::{cache::Cache, error::LoadError};
use crate::application::MAX_MEMORY_BYTES;

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a running guest after which the clock stops until there is one.
const LINGER_TICKS: u32 = 100;

/// What every component of the process shares.
pub struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) cache: Cache,
    ticker: Ticker,
}

impl Runtime {
    /// Starts the engine and its clock; compiled components are kept in `data`.
    ///
    /// # Errors
    /// The engine's memory cannot be reserved, or `data` cannot be written.
    pub fn start(data: &Path) -> Result<Self, LoadError> {
        let engine = Engine::new(&config()).map_err(|error| LoadError::Engine(error.into()))?;
        let cache = Cache::open(data, &engine).map_err(LoadError::Cache)?;
        let ticker = Ticker::start(&engine).map_err(|error| LoadError::Engine(error.into()))?;
        Ok(Self {
            engine,
            cache,
            ticker,
        })
    }

    /// Keeps the clock ticking until the guard is dropped.
    pub(crate) fn running(&self) -> Running {
        self.ticker.running()
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // A component made from Python has 38 core instances, 5,670 table elements and several
    // memories; one made from JavaScript up to 7,688 elements.
    pool.total_component_instances(1_000)
        .max_component_instance_size(1 << 20)
        .max_core_instances_per_component(64)
        .max_memories_per_component(8)
        .max_tables_per_component(16)
        .total_core_instances(8_000)
        .max_core_instance_size(1 << 20)
        .total_memories(1_500)
        .total_tables(3_000)
        .total_stacks(1_000)
        .table_elements(10_000)
        .max_memory_size(MAX_MEMORY_BYTES as usize)
        // Resetting kept pages costs more than faulting in the few that a call touches.
        .linear_memory_keep_resident(0)
        .table_keep_resident(0);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(None);
    config
}

/// Advances the engine's epoch while any guest runs, and sleeps otherwise.
struct Ticker {
    shared: Arc<TickerState>,
}

struct TickerState {
    guests: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
    thread: std::sync::OnceLock<Thread>,
}

/// A guest may run while this lives.
pub(crate) struct Running(Arc<TickerState>);

impl Ticker {
    fn start(engine: &Engine) -> io::Result<Self> {
        let shared = Arc::new(TickerState {
            guests: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            thread: std::sync::OnceLock::new(),
        });
        let state = Arc::clone(&shared);
        let engine = engine.clone();
        let handle = thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || tick(&state, &engine))?;
        shared.thread.get_or_init(|| handle.thread().clone());
        Ok(Self { shared })
    }

    fn running(&self) -> Running {
        self.shared.guests.fetch_add(1, Ordering::SeqCst);
        self.shared.wake();
        Running(Arc::clone(&self.shared))
    }
}

impl TickerState {
    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

fn tick(state: &TickerState, engine: &Engine) {
    let mut idle = 0;
    while !state.stopped.load(Ordering::SeqCst) {
        if idle < LINGER_TICKS {
            thread::sleep(TICK);
            engine.increment_epoch();
        } else {
            state.asleep.store(true, Ordering::SeqCst);
            // A guest that came before `asleep` was set did not wake this thread.
            if state.guests.load(Ordering::SeqCst) == 0 && !state.stopped.load(Ordering::SeqCst) {
                thread::park();
            }
            state.asleep.store(false, Ordering::SeqCst);
        }
        idle = match state.guests.load(Ordering::SeqCst) {
            0 => idle.saturating_add(1),
            _ => 0,
        };
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.wake();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, Ordering::SeqCst);
    }
}
