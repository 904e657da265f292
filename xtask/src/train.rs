//! `cargo xtask train`: the weights of the moderation component, from labelled lines.

use std::{
    ffi::OsString,
    path::{PathBuf, absolute},
};

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::{process, project::Project, toolchain::cargo};

pub const HELP: &str = "\
Usage: cargo xtask train [--data DIR] [--check | --report | --lines FILE]

Trains the model of the moderation component, and writes moderation-wasm/model. It takes some
minutes and one core; the same data give the same files, byte for byte.

  --data DIR   the labelled lines [default: ../shared/data]
  --check      writes nothing, and fails if a file is not what would be written
  --report     writes nothing, and prints the figures of the weights as they are
  --lines FILE writes the lines that the figures are of, and what was made of each, to compare with
               other moderators (moderation-wasm/train/compare.py)
";

/// Where the data lie beside a checkout.
const DEFAULT: &str = "../shared/data";
const FILES: &[&str] = &[
    "train.tsv.xz",
    "valid.tsv.xz",
    "synthetic.tsv.xz",
    "lexicons/ldnoobw/en.txt",
    "lexicons/surge_profanity_en.csv",
];

pub fn run(project: &Project, arguments: Vec<OsString>) -> Result<()> {
    let mut data: Option<PathBuf> = None;
    let mut task: Vec<OsString> = Vec::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => data = Some(parser.value()?.into()),
            Long("check") => task = vec!["--check".into()],
            Long("report") => task = vec!["--report".into()],
            Long("lines") => task = vec!["--lines".into(), absolute(parser.value()?)?.into()],
            other => return Err(other.unexpected().into()),
        }
    }
    let data = data.unwrap_or_else(|| project.root.join(DEFAULT));
    if let Some(missing) = FILES.iter().find(|file| !data.join(file).is_file()) {
        bail!(
            "{} is not there. The labelled lines are not part of this repository, since each source has a licence of \
             its own: moderation-wasm/model/ATTRIBUTION.md names the sources, moderation-wasm/train/README.md says how \
             to put them together. The weights that are checked in need none of them. If you have the lines: --data DIR",
            data.join(missing).display()
        );
    }
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "--package",
            "clustertalk-moderation-train",
            "--",
            "--data",
        ])
        .arg(&data)
        .args(task)
        .current_dir(&project.root);
    process::run(&mut command)
}
