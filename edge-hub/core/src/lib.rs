//! The chat hub without IO: protocol, sessions, rooms, permissions, presence.
//!
//! It has no socket, clock, thread or random source. A host hands it one event of one connection,
//! with the time and the session bytes of that connection; it answers with effects. Nothing in it
//! outlives the call but those bytes, so the instance can be thrown away after each event, the
//! component replaced, the object put to sleep.
//!
//! # Vocabulary
//! - **room**: a named log of messages and those who follow it;
//! - **session**: what the hub remembers of a connection, a few hundred bytes in the host's keeping;
//! - **position**: a place in a room's log, by number and fingerprint ([`ids::Position`]);
//! - **cursor**: where a reader stands, and what it passed ([`delivery::RoomCursor`]);
//! - **outbox**: what a client sent and does not know to be in the log for good ([`delivery::Outbox`]);
//! - **edge**: one running host; **member**: a user with a connection in a room.
//!
//! # The run loop
//! 1. Restore the hub from the connection's session bytes: [`hub::Hub::restore`].
//! 2. Feed one event: [`hub::Hub::handle`].
//! 3. Drain the effects. Those for the host are kept, in order.
//! 4. If one is to be performed here (a review, an append, …), do it and go to 2 with its answer.
//!    [`perform::run`] does steps 2 to 4 for a platform that has connections of its own.
//! 5. Take the session bytes: [`hub::Hub::session`]. Hand them and the kept effects to the host,
//!    which stores the bytes before it reads the next frame.
//!
//! ```
//! use clustertalk_core::{effect::Effect, event::Event, hub::{Connection, Hub, Settings}, time::Timestamp};
//!
//! let settings = Settings::default();
//! let connection = Connection { id: "edge-1".into(), edge: "edge".into(), anonymous: true, token: None };
//! let mut hub = Hub::restore(&settings, connection, &[], [0; 16]).unwrap();
//! let effects: Vec<Effect> = hub.handle(Timestamp::from_millis(0), Event::Opened).collect();
//! assert!(matches!(effects[..], [Effect::WakeAt(_)]));
//! assert!(hub.session().len() < 16);
//! ```

pub mod api;
pub mod auth;
pub mod delivery;
pub mod deployment;
pub mod effect;
pub mod event;
pub mod http;
pub mod hub;
pub mod ids;
pub mod limits;
pub mod log;
pub mod perform;
pub mod protocol;
pub mod quarantine;
pub mod redis;
pub mod statistics;
pub mod store;
pub mod time;

mod command;
