//! The edge on Cloudflare Workers.
//!
//! A Durable Object is an edge: it accepts WebSockets by the hibernation API, runs the hub's core for
//! each event of each of them, and delivers by `core::delivery`, from a Redis that it reaches over TCP.
//! The Worker in front of it only chooses an object and serves the web client's files.

mod admission;
mod body;
mod clock;
mod components;
mod connection;
mod edge;
mod edge_object;
mod http;
mod perform;
mod redis;
mod room;
mod settings;
mod wake;
mod worker;
