//! The wall clock, for the core, which has none.

use clustertalk_core::time::{Timestamp, millis};

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(millis(since.unwrap_or_default()))
}
