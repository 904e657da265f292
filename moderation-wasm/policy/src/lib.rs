//! An operator's policy: a TOML file becomes the bytes that lie in the moderation component.
//!
//! All that can be wrong is found here, with its line, so that the component only has to read:
//! docs/policies.md describes the file.

mod compile;
mod expressions;
mod file;

pub use clustertalk_moderation_wasm::policy::reserved::{CAPACITY, PutError, put};
pub use file::{Expected, File, Test};

/// A policy that can be put into a component.
#[derive(Debug)]
pub struct Policy {
    pub name: String,
    /// For [`put`].
    pub bytes: Vec<u8>,
    /// Messages and what is to become of them, each with its line in the file.
    pub tests: Vec<(usize, Test)>,
    /// What is in it, for people.
    pub summary: Summary,
}

/// How many of what a policy has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sections that are for some rooms.
    pub rooms: usize,
    pub rules: usize,
    pub phrases: usize,
    pub expressions: usize,
}

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Problem {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl Policy {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong in it, in the order of its lines.
    pub fn read(source: &str) -> Result<Policy, Vec<Problem>> {
        compile::compile(source)
    }
}

/// The JSON Schema of the file, for editors.
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}
