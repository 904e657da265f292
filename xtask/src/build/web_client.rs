//! The web client: `clients/web` → `clients/web/dist`, and the `dist` of the package in it.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
    process::Command,
};

use anyhow::{Result, bail};

use crate::{process::LongStep, project::Project};

/// What `npm run build` neither reads nor should be set off by.
const IGNORED: &[&str] = &["node_modules", "dist", "test"];

/// Runs `npm run build` unless `dist` was built from the sources as they stand.
pub fn build(project: &Project) -> Result<()> {
    let client = project.web_client();
    let mut hasher = DefaultHasher::new();
    hash_folder(&client, &mut hasher)?;
    let sources = hasher.finish().to_string();
    let note = project.state("web-client.built-from")?;
    let built = client.join("dist/index.html");
    if built.is_file() && fs::read_to_string(&note).is_ok_and(|old| old == sources) {
        return Ok(());
    }
    LongStep {
        verb: "Building",
        what: "the web client (clients/web/dist)",
        log: project.state("web-client.log")?,
        time_limit: None,
    }
    .run(
        Command::new("npm")
            .args(["run", "build"])
            .current_dir(&client),
    )?;
    if !built.is_file() {
        bail!("`npm run build` left no {}", built.display());
    }
    fs::write(&note, sources)?;
    Ok(())
}

/// Names, sizes and times of all files: a deleted or renamed file counts, too.
fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if IGNORED.iter().any(|ignored| name == *ignored) {
            continue;
        }
        name.hash(hasher);
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            hash_folder(&entry.path(), hasher)?;
        } else {
            metadata.len().hash(hasher);
            metadata.modified()?.hash(hasher);
        }
    }
    Ok(())
}
