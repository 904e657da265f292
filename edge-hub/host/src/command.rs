//! The commands of `clustertalk`, one file each.

pub mod doctor;
mod http_client;
pub mod send;
pub mod tail;
pub mod up;
