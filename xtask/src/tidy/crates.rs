//! Who depends on whom, as cargo itself reads the manifests.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Problem, tree};
use crate::{process, project::Project, toolchain::cargo};

/// A crate of ours.
struct Crate {
    /// Its folder, from the root.
    folder: String,
    /// All kinds: for the build and for tests, too.
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// From the root, for a crate of ours.
    folder: Option<String>,
}

/// What of ours a crate may depend on. A crate that is not listed may depend on nothing of ours.
fn allowed(folder: &str) -> &'static [&'static str] {
    match folder {
        "edge-hub/guest"
        | "edge-hub/host"
        | "edge-hub/cloudflare"
        | "edge-hub/conformance"
        | "edge-hub/loadtest" => &["edge-hub/core"],
        // One core module runs there, so the components are linked in.
        "edge-hub/fastly" => &["edge-hub/core", "moderation-wasm", "analytics-wasm"],
        "moderation-wasm/policy" | "moderation-wasm/train" => &["moderation-wasm"],
        // Code is generated from core's types.
        "xtask" => &["edge-hub/core"],
        _ => &[],
    }
}

/// Core below the platforms, no platform on another, components on nothing of ours.
pub fn boundaries(project: &Project) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for one in crates(project)? {
        let allowed = allowed(&one.folder);
        for other in one
            .dependencies
            .iter()
            .filter_map(|dependency| dependency.folder.as_deref())
        {
            if !allowed.contains(&other) {
                problems.push(Problem::new(
                    format!("{}/Cargo.toml", one.folder),
                    format!(
                        "must not depend on {other} (allowed of ours: {})",
                        if allowed.is_empty() {
                            "nothing".to_owned()
                        } else {
                            allowed.join(", ")
                        }
                    ),
                ));
            }
        }
    }
    Ok(problems)
}

/// Each dependency has its reason in ARCHITECTURE.md.
pub fn reasons(project: &Project) -> Result<Vec<Problem>> {
    const FILE: &str = "ARCHITECTURE.md";
    let Ok(text) = tree::read(project, FILE) else {
        return Ok(vec![Problem::new(FILE, "is missing")]);
    };
    let mut problems = Vec::new();
    for one in crates(project)? {
        let foreign = one
            .dependencies
            .iter()
            .filter(|dependency| dependency.folder.is_none());
        for Dependency { name, .. } in foreign {
            if !tree::has_word(&text, name) {
                problems.push(Problem::new(
                    FILE,
                    format!("does not say why {} needs the crate {name}", one.folder),
                ));
            }
        }
    }
    Ok(problems)
}

fn crates(project: &Project) -> Result<Vec<Crate>> {
    let mut command = cargo();
    command
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(&project.root);
    let metadata: Value = serde_json::from_str(&process::output(&mut command)?)?;
    let root = format!("{}/", project.root.display());
    let from_root = |path: &str| path.strip_prefix(&root).unwrap_or(path).to_owned();
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let mut crates = Vec::new();
    for package in packages {
        let manifest = from_root(text(&package["manifest_path"])?);
        let folder = manifest
            .strip_suffix("/Cargo.toml")
            .unwrap_or_default()
            .to_owned();
        let mut dependencies = Vec::new();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            dependencies.push(Dependency {
                name: text(&dependency["name"])?.to_owned(),
                folder: dependency["path"].as_str().map(from_root),
            });
        }
        crates.push(Crate {
            folder,
            dependencies,
        });
    }
    Ok(crates)
}

fn text(value: &Value) -> Result<&str> {
    value
        .as_str()
        .context("cargo metadata has another form than expected")
}
