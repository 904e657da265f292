//! The native host of ClusterTalk Edge: sockets, timers, Redis connections and budgets.
//! It decides nothing about chat.

pub mod admin;
pub mod application;
pub mod clock;
pub mod command;
pub mod config;
pub mod driver;
pub mod edge;
pub mod files;
pub mod http_client;
pub mod local_redis;
pub mod logs;
pub mod metrics;
pub mod pace;
pub mod policy;
pub mod queue;
pub mod redis_client;
pub mod relay;
pub mod sandbox;
pub mod server;
pub mod socket;
pub mod store;
pub mod stream;
pub mod toml_file;
pub mod traces;
pub mod webhooks;
pub mod websocket;

#[cfg(test)]
mod test_guests;
