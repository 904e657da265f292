//! `cargo xtask up`: from a clone to a running edge.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context, Result};

use crate::{
    build,
    project::Project,
    setup::{self, Need},
};

pub const HELP: &str = "\
Usage: cargo xtask up [ARGUMENT]...

Installs what is missing (see `cargo xtask setup --help`), builds what has changed, and becomes
`clustertalk up` with the given arguments: the edge runs on http://127.0.0.1:3000 until Ctrl-C.

`target/debug/clustertalk up --help` explains the arguments, among them --listen, --data, --redis.
";

/// Does not return if the host starts.
pub fn run(project: &Project, arguments: Vec<OsString>) -> Result<()> {
    setup::ensure(project, &[Need::Redis])?;
    build::run(project, &[])?;
    // The host takes the place of this process, so signals reach it and nobody is left behind.
    let error = Command::new(project.host_binary())
        .arg("up")
        .args(arguments)
        .current_dir(&project.root)
        .exec();
    Err(error).context("cannot start the host")
}
