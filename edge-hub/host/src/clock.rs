//! The clocks, for the core, which has none.

use std::{sync::LazyLock, time::Instant};

use clustertalk_core::time::{Timestamp, millis};

/// The wall clock.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(millis(since.unwrap_or_default()))
}

/// A clock that never goes back, for spans: it says how long this process has run.
pub fn steady() -> Timestamp {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Timestamp::from_millis(millis(BEGUN.elapsed()))
}
