//! `cargo xtask codegen`: files that are made from others and checked in.

use std::{fs, path::PathBuf};

use anyhow::{Result, bail};

use crate::{
    process,
    project::{Project, write_if_changed},
};

pub const HELP: &str = "\
Usage: cargo xtask codegen [--check]

Writes the files that are generated from the protocol and checked in.

  --check   writes nothing and fails if a file is not what would be written
";

/// A file that is generated.
struct Generated {
    path: PathBuf,
    text: String,
}

pub fn run(project: &Project, check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for Generated { path, text } in generated(project)? {
        if !check {
            if write_if_changed(&path, text.as_bytes())? {
                process::say("Wrote", &path.display().to_string());
            }
        } else if !fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            stale.push(path.display().to_string());
        }
    }
    if !stale.is_empty() {
        bail!("not fresh, run `cargo xtask codegen`: {}", stale.join(", "));
    }
    Ok(())
}

/// Every generated file with the text it should have.
fn generated(_project: &Project) -> Result<Vec<Generated>> {
    bail!("no generator is written yet")
}
