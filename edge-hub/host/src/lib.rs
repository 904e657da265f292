//! The native host of ClusterTalk Edge: sockets, timers, Redis connections and budgets.
//! It decides nothing about chat.

pub mod application;
pub mod policy;
pub mod queue;
pub mod sandbox;
pub mod server;
pub mod socket;
pub mod websocket;
