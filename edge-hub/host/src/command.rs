//! The commands of `clustertalk`, one file each.

pub mod doctor;
mod edge_client;
pub mod send;
pub mod tail;
pub mod up;
