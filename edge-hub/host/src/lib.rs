//! The native host of ClusterTalk Edge: sockets, timers, Redis connections and budgets.
//! It decides nothing about chat.

pub mod queue;
pub mod server;
pub mod socket;
pub mod websocket;
