//! The compilers of the guests: rustup's wherever it has the target, else Debian's with a
//! standard library of our own making.

pub mod debian;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    process::{self, LongStep},
    project::Project,
};
use debian::Debian;

/// What a guest is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Components that use Spin's interfaces and WASI.
    Wasip2,
    /// Pure components, which import nothing: on WASI the standard library would pull in imports.
    Unknown,
}

impl Target {
    pub const ALL: [Self; 2] = [Self::Wasip2, Self::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Self::Wasip2 => "wasm32-wasip2",
            Self::Unknown => "wasm32-unknown-unknown",
        }
    }
}

/// A compiler that can build for one target.
pub enum Toolchain {
    /// The one that cargo uses by itself.
    Default,
    /// Debian's, with the standard library in `target/`.
    Debian(Debian),
}

impl Toolchain {
    /// What is there now; nothing is installed.
    pub fn find(project: &Project, target: Target) -> Option<Self> {
        if default_compiler_has(target) {
            return Some(Self::Default);
        }
        let debian = Debian::find(project)?;
        debian.has_std(target).then_some(Self::Debian(debian))
    }

    /// `cargo <subcommand>` for guests, with everything set but the package.
    pub fn cargo(&self, project: &Project, target: Target, subcommand: &str) -> Result<Command> {
        let mut flags = vec![
            remap(&cargo_home()?, "/cargo"),
            remap(&project.root, "/clustertalk"),
        ];
        let mut command = match self {
            Self::Default => {
                let mut command = cargo();
                command.arg(subcommand);
                command
            }
            Self::Debian(debian) => {
                flags.extend(debian.flags());
                debian.cargo(subcommand)
            }
        };
        command
            .current_dir(&project.root)
            // Not RUSTFLAGS: a folder's name may contain a space.
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .args(["--release", "--target", target.name(), "--target-dir"])
            .arg(project.guest_target());
        Ok(command)
    }
}

/// The cargo that runs us, without what it told us of xtask itself. Some build scripts ask to be
/// run again when these variables change, and half of the host would be built anew whenever
/// cargo is called by xtask and by hand in turn.
pub fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    without_our_package(Command::new(cargo))
}

fn without_our_package(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// How long rustup may take for both targets (about 60 MB) before the fallback is tried. Where
/// its server cannot be reached it does not fail, it hangs.
const RUSTUP_TIME_LIMIT: Duration = Duration::from_secs(25);

/// Asks rustup for `targets`; true if they are there afterwards. A failure is remembered, so
/// that only the first run waits for it.
pub fn add_by_rustup(project: &Project, targets: &[Target]) -> Result<bool> {
    let Some(rustup) = process::find_program("rustup") else {
        return Ok(false);
    };
    let names: Vec<_> = targets.iter().map(|target| target.name()).collect();
    let failed = project.state("rustup-failed")?;
    if fs::read_to_string(&failed).is_ok_and(|old| old == names.join("\n")) {
        return Ok(false);
    }
    let step = LongStep {
        verb: "Installing",
        what: &format!("{} by rustup", names.join(" and ")),
        log: project.state("rustup.log")?,
        time_limit: Some(RUSTUP_TIME_LIMIT),
    };
    match step.run(Command::new(rustup).args(["target", "add"]).args(&names)) {
        Ok(()) => Ok(targets.iter().all(|target| default_compiler_has(*target))),
        Err(error) => {
            process::warn(&format!(
                "{error}; not tried again until {} is deleted",
                failed.display()
            ));
            fs::write(&failed, names.join("\n"))?;
            Ok(false)
        }
    }
}

/// True if the compiler that cargo uses by itself has a standard library for this target,
/// whoever installed it.
fn default_compiler_has(target: Target) -> bool {
    let mut command = Command::new("rustc");
    command.args(["--print", "target-libdir", "--target", target.name()]);
    process::output(&mut command).is_ok_and(|folder| has_std(Path::new(&folder)))
}

fn has_std(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

/// Keeps the folders of this machine out of a component, so that every clone builds the same
/// bytes.
fn remap(folder: &Path, name: &str) -> String {
    format!("--remap-path-prefix={}={name}", folder.display())
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("no home folder: set CARGO_HOME")?;
    Ok(home.join(".cargo"))
}
