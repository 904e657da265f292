//! `clustertalk policy build`: puts a policy into a moderation component.

use std::{collections::BTreeMap, fs, path::Path, process};

use anyhow::{Context, Result};

use super::{candidate, read, said};
use crate::{command::output::print, config::Build, sandbox::Digest};

pub fn run(build: Build, variables: &BTreeMap<String, String>) -> Result<()> {
    let policy = read(&build.file)?;
    let base = match &build.component {
        Some(component) => component.clone(),
        None => candidate::in_manifest(&build.manifest, variables)?.path,
    };
    let component = candidate::with_policy(&base, &policy)?;
    let output = build.output.as_ref().unwrap_or(&base);
    replace(output, &component)?;
    let digest = Digest::of(&component);
    print(&format!(
        "{}: {}\n{digest}\n",
        output.display(),
        said(&policy)
    ))
}

/// Whole or not at all, so that an edge that looks meanwhile takes no half of it.
fn replace(file: &Path, content: &[u8]) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}", process::id()));
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, file));
    written
        .inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })
        .with_context(|| format!("{} cannot be written", file.display()))
}
