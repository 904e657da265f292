//! `cargo xtask codegen`: files that are made from others and checked in.

mod codes;

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::{
    process,
    project::{Project, write_if_changed},
    toolchain::cargo,
};

pub const HELP: &str = "\
Usage: cargo xtask codegen [--check]

Writes the files that are generated from the protocol and checked in: the code tables from
codes.json, the JSON Schema from core's wire types, TypeScript from both.

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
    // The web client makes its own from these: its tools know its language.
    let mut typescript = Command::new("npm");
    typescript
        .args(["run", "--silent", "codegen"])
        .current_dir(project.root.join("clients/web"));
    if check {
        typescript.args(["--", "--check"]);
    }
    process::run(&mut typescript)
}

/// Every generated file with the text it should have.
fn generated(project: &Project) -> Result<Vec<Generated>> {
    let hub = project.root.join("edge-hub");
    let codes = fs::read_to_string(hub.join("protocol/codes.json"))?;
    let schema = process::output(
        cargo()
            .args(["run", "--quiet", "--package", "clustertalk-core"])
            .args(["--features", "schema", "--example", "schema"])
            .current_dir(&project.root),
    )?;
    Ok(vec![
        Generated {
            path: hub.join("core/src/protocol/codes.rs"),
            text: codes::rust(&codes)?,
        },
        Generated {
            path: hub.join("protocol/schema.json"),
            text: format!("{}\n", schema.trim_end()),
        },
    ])
}
