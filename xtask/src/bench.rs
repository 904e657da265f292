//! `cargo xtask bench`: the figures of the documentation, measured again.

use std::ffi::OsString;

use anyhow::Result;

use crate::{
    build, process,
    project::Project,
    setup::{self, Need},
    toolchain::cargo,
};

pub const HELP: &str = "\
Usage: cargo xtask bench [PART]... [ARGUMENT]...

Installs what is missing, builds what has changed, measures the hot path with real parts and prints
one table. Linux only; for figures that mean something let nothing else run meanwhile.

  sockets     resident memory of an idle socket, CPU time of a delivery, with TLS and without
  components  a call of moderation, fresh and reused; events of the hub
  append      the script that stores a message: messages a second, CPU time of Redis
  chat        from end to end: time to acknowledgement and delivery, messages a second and for each
              second of CPU, a crowded room

  --json      one JSON object in the place of the table
  --quick     a tenth of everything: to see that it runs, not for figures
  --connections COUNT  of `sockets` (5,000); each needs two files

docs/benchmarks.md has what it printed for us, and what each figure means.
";

pub fn run(project: &Project, arguments: Vec<OsString>) -> Result<()> {
    setup::ensure(project, &[Need::Redis])?;
    build::run(project, &[])?;
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "--package",
            "clustertalk-host",
            "--example",
            "bench",
        ])
        .arg("--target-dir")
        .arg(project.target())
        .arg("--")
        .args(arguments)
        .current_dir(&project.root);
    process::run(&mut command)
}
