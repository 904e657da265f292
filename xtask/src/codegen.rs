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
codes.json, the JSON Schema of frames and the description of the HTTP API (OpenAPI) from core's
wire types, TypeScript from the codes and the schema; and the JSON Schema of policy files.

  --check   writes nothing and fails if a file is not what would be written
";

/// A file that is generated.
struct Generated {
    path: PathBuf,
    text: String,
}

pub fn run(project: &Project, check: bool) -> Result<()> {
    let mut stale = Vec::new();
    // In this order, and each written before the next: the schema comes from a core with the codes.
    for generate in [codes, schema, openapi, policy_schema] {
        let Generated { path, text } = generate(project)?;
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

/// The code tables, from codes.json.
fn codes(project: &Project) -> Result<Generated> {
    let hub = project.root.join("edge-hub");
    Ok(Generated {
        path: hub.join("core/src/protocol/codes.rs"),
        text: codes::rust(&fs::read_to_string(hub.join("protocol/codes.json"))?)?,
    })
}

/// The JSON Schema, from core's wire types.
fn schema(project: &Project) -> Result<Generated> {
    printed(
        project,
        "clustertalk-core",
        "schema",
        "edge-hub/protocol/schema.json",
    )
}

/// The HTTP API, from core's routes and wire types.
fn openapi(project: &Project) -> Result<Generated> {
    printed(
        project,
        "clustertalk-core",
        "openapi",
        "edge-hub/protocol/openapi.json",
    )
}

/// The JSON Schema of policy files.
fn policy_schema(project: &Project) -> Result<Generated> {
    printed(
        project,
        "clustertalk-policy",
        "schema",
        "moderation-wasm/policy/policy.schema.json",
    )
}

/// What an example of a package prints.
fn printed(project: &Project, package: &str, name: &str, path: &str) -> Result<Generated> {
    let json = process::output(
        cargo()
            .args(["run", "--quiet", "--package", package])
            .args(["--features", "schema", "--example", name])
            .current_dir(&project.root),
    )?;
    Ok(Generated {
        path: project.root.join(path),
        text: format!("{}\n", json.trim_end()),
    })
}
