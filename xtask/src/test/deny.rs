//! Licences, sources and bans of all crates, by cargo-deny.

use std::process::Command;

use anyhow::Result;

use crate::{
    process::{self, LongStep},
    project::Project,
    toolchain::cargo,
};

const VERSION: &str = "0.20.2";

/// Runs cargo-deny as deny.toml says. Known vulnerabilities are not asked for: their database is
/// a git repository that a machine behind a registry mirror cannot reach.
pub fn run(project: &Project) -> Result<()> {
    let root = project.path("target/tools");
    let program = root.join("bin/cargo-deny");
    let version = process::output(Command::new(&program).arg("--version")).unwrap_or_default();
    if !version.ends_with(VERSION) {
        install(project)?;
    }
    process::run(
        Command::new(program)
            .args(["--all-features", "check", "licenses", "bans", "sources"])
            .current_dir(&project.root),
    )
}

/// Without optimisation: it runs for a second, and is built in two minutes in the place of ten.
fn install(project: &Project) -> Result<()> {
    LongStep {
        verb: "Installing",
        what: &format!("cargo-deny {VERSION} into target/tools (once, about 2 minutes)"),
        log: project.state("cargo-deny.log")?,
        time_limit: None,
    }
    .run(
        cargo()
            .args([
                "install",
                "--locked",
                "--force",
                "--no-default-features",
                "cargo-deny",
            ])
            .args(["--version", VERSION, "--root"])
            .arg(project.path("target/tools"))
            .arg("--target-dir")
            .arg(project.path("target/tools/build"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .current_dir(&project.root),
    )
}
