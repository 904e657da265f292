//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Those beside connections: components, Redis, listeners, logs.
pub const SPARE: u64 = 500;

/// Asks for as many as the system lets a process have, which is often far more than it begins
/// with. Answers with how many it may open; `None` is without a limit.
pub fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none() || current == maximum {
        return current;
    }
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, most) {
        Ok(()) => maximum,
        // Some systems name a maximum that they do not grant.
        Err(_) => current,
    }
}
