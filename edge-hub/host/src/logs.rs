//! Where logs go: standard error, as lines for people or as JSON.
//!
//! No event in this crate has a message's text, a token or a password among its fields; the
//! system tests hold a chat at the level `debug` to that.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Begins to log. `filter` is as in `warn,clustertalk_host=debug`.
pub fn start(filter: &str, format: LogFormat) {
    let logs = fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => {
            logs.json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .init();
            // A line of another form would break what reads these.
            std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
        }
    }
}
