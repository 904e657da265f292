//! Redis over TCP by `connect()`: where it is, what can go wrong, and the connections to it.
//!
//! The platform allows six connections at once: two shared ones for commands, one for the
//! subscription, and one more of each kind while it is renewed.

mod address;
mod codec;
#[cfg(target_family = "wasm")]
mod connection;
#[cfg(target_family = "wasm")]
mod pool;
#[cfg(target_family = "wasm")]
mod subscriber;

pub use address::Address;
#[cfg(target_family = "wasm")]
pub use pool::Pool;
#[cfg(target_family = "wasm")]
pub use subscriber::{Care, Listener, Subscriber};

use clustertalk_core::redis as contract;
use std::time::Duration;

/// After this time without an answer the outcome of a command is unknown.
const RESPONSE_TIME: Duration = Duration::from_secs(2);

/// Why Redis did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedisError {
    #[error("Redis cannot be reached: {0}")]
    Unreachable(String),
    #[error("the connection to Redis was lost")]
    Lost,
    #[error("Redis did not answer in time")]
    TimedOut,
    #[error("Redis refused: {0}")]
    Refused(String),
    #[error("Redis answered what is no reply: {0}")]
    Malformed(String),
}

impl RedisError {
    /// The code at the beginning of Redis's own sentence.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(sentence) => sentence.split(' ').next(),
            _ => None,
        }
    }
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("Redis answered what was not asked for: {0}")]
    Reply(#[from] contract::ReplyError),
}

impl StoreError {
    /// Whether Redis answers, and it is what it holds that cannot be read.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Redis(error) => error.code() == Some(contract::CORRUPT),
            Self::Reply(_) => true,
        }
    }
}
