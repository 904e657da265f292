//! The commands of `clustertalk`, one file each.

mod database;
pub mod doctor;
mod edge_client;
mod entries;
pub mod history;
pub mod moderation;
pub mod output;
pub mod policy;
pub mod rooms;
pub mod send;
pub mod stats;
pub mod tail;
pub mod token;
pub mod up;
pub mod user;
pub mod verify;

use std::{collections::BTreeMap, path::Path};

use crate::{application::Application, toml_file::FileError};

/// An application as a tool reads it, which runs no edge: what an edge says itself is made up.
///
/// # Errors
/// As [`Application::load`].
fn application_without_edge(
    manifest: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Application, FileError> {
    let mut given = variables.clone();
    for name in ["anonymous", "limits"] {
        given.entry(name.to_owned()).or_default();
    }
    given.insert("redis_url".to_owned(), "redis://127.0.0.1:6379".to_owned());
    Application::load(manifest, &given)
}
