//! The edge on Cloudflare Workers.
//!
//! A Durable Object is an edge: it accepts WebSockets by the hibernation API, runs the hub's core for
//! each event of each of them, and delivers by `core::delivery`, from a Redis that it reaches over TCP.
//! The Worker in front of it only chooses an object and serves the web client's files.
//!
//! What asks the platform for something is compiled for it alone. The rest is compiled for any machine
//! as well, for its tests.
#![cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "used by what is compiled for the platform")
)]

mod admission;
mod redis;
mod settings;
mod shard;
mod signature;

#[cfg(target_family = "wasm")]
mod body;
#[cfg(target_family = "wasm")]
mod clock;
#[cfg(target_family = "wasm")]
mod components;
#[cfg(target_family = "wasm")]
mod connection;
#[cfg(target_family = "wasm")]
mod edge;
#[cfg(target_family = "wasm")]
mod edge_object;
#[cfg(target_family = "wasm")]
mod http;
#[cfg(target_family = "wasm")]
mod perform;
#[cfg(target_family = "wasm")]
mod room;
#[cfg(target_family = "wasm")]
mod wake;
#[cfg(target_family = "wasm")]
mod worker;
