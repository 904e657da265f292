//! `cargo xtask setup`: installs what is missing and is silent about what is there.

mod npm;
pub mod packages;
mod python;

use anyhow::{Context, Result, bail};

use crate::{
    process,
    project::Project,
    toolchain::{self, Target, Toolchain, debian, debian::Debian},
};
use packages::{PackageManager, System};

pub const HELP: &str = "\
Usage: cargo xtask setup [--tests]

Installs what is missing; says nothing about what is there. The other commands do the same for
what they need, so there is no need to run this first.

  Rust targets    wasm32-wasip2 and wasm32-unknown-unknown, by rustup. Where rustup cannot get
                  them, Debian 12's own Rust for WebAssembly is used, with a standard library
                  built under target/ (about 90 s a target, once)
  Redis           redis-server and redis-cli, or valkey's; not if REDIS_URL is set
  npm packages    of clients/web, when its package-lock.json has changed; of edge-hub/cloudflare
                  only for `cargo xtask cloudflare`, of
                  components/moderators/javascript only for `cargo xtask moderators`

  --tests         what only the tests need besides: Chromium, and Python 3.11 or newer with venv

System packages are installed by apt-get when run as root, or by Homebrew. Otherwise the one
command to run is printed.
";

/// What a command needs before it can start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Target(Target),
    Redis,
    WebPackages,
    /// With which a virtual environment can be made.
    Python,
    /// Of edge-hub/cloudflare: a gigabyte, so only whoever builds the Worker asks for it.
    CloudflarePackages,
    /// Of components/moderators/javascript.
    ModeratorPackages,
    Tests,
}

pub use npm::version as node_version;
pub use python::program as python_program;

pub fn run(project: &Project, tests: bool) -> Result<()> {
    let mut needs = vec![
        Need::Target(Target::Wasip2),
        Need::Target(Target::Unknown),
        Need::Redis,
        Need::WebPackages,
    ];
    if tests {
        needs.extend([Need::Python, Need::Tests]);
    }
    ensure(project, &needs)?;
    process::say("Ready", "everything needed is installed");
    Ok(())
}

/// Installs what of `needs` is missing. With nothing missing it takes a tenth of a second.
pub fn ensure(project: &Project, needs: &[Need]) -> Result<()> {
    let _lock = project.lock("setup")?;

    // What rustup can do comes first, since it needs no root.
    let mut targets = missing_targets(project, needs);
    if !targets.is_empty() && toolchain::add_by_rustup(project, &targets)? {
        targets.clear();
    }

    // Then all system packages in one go, so that whoever has to ask an administrator asks once.
    let system = System::detect();
    let mut packages = packages::Missing::default();
    if !targets.is_empty() {
        if !system.is_debian_bookworm() {
            bail!(
                "the Rust targets {} are missing: install them by `rustup target add {}`",
                names(&targets, " and "),
                names(&targets, " "),
            );
        }
        packages.add_debian(debian::PACKAGES);
    }
    if needs.contains(&Need::Redis) {
        packages.add_redis();
    }
    if needs.contains(&Need::Python) {
        packages.add_python();
    }
    if needs.contains(&Need::Tests) {
        packages.add_chromium();
        let by_debian =
            |target| matches!(Toolchain::find(project, target), Some(Toolchain::Debian(_)));
        if !targets.is_empty() || Target::ALL.into_iter().any(by_debian) {
            packages.add_debian(&[debian::LINT_PACKAGE]);
        }
    }
    let folders = [
        (Need::WebPackages, "clients/web"),
        (Need::CloudflarePackages, "edge-hub/cloudflare"),
        (Need::ModeratorPackages, "components/moderators/javascript"),
    ];
    let folders = folders.iter().filter(|(need, _)| needs.contains(need));
    if folders.clone().next().is_some() {
        npm::check_node()?;
    }
    packages.install(project, PackageManager::find())?;

    for target in targets {
        let debian = Debian::find(project).context("Debian's Rust is installed, yet not found")?;
        if !debian.has_std(target) {
            debian.build_std(project, target)?;
        }
    }
    for (_, folder) in folders {
        npm::install(project, folder)?;
    }
    Ok(())
}

fn missing_targets(project: &Project, needs: &[Need]) -> Vec<Target> {
    let wanted = needs.iter().filter_map(|need| match need {
        Need::Target(target) => Some(*target),
        _ => None,
    });
    wanted
        .filter(|target| Toolchain::find(project, *target).is_none())
        .collect()
}

fn names(targets: &[Target], separator: &str) -> String {
    let names: Vec<_> = targets.iter().map(|target| target.name()).collect();
    names.join(separator)
}
