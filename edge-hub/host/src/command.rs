//! The commands of `clustertalk`, one file each.

mod database;
pub mod doctor;
mod edge_client;
mod entries;
pub mod history;
pub mod output;
pub mod rooms;
pub mod send;
pub mod stats;
pub mod tail;
pub mod token;
pub mod up;
pub mod user;
pub mod verify;
