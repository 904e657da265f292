//! System packages: which are missing, and how this machine gets them.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use anyhow::{Result, bail};

use crate::{
    process::{self, LongStep, find_program},
    project::Project,
};

/// What `/etc/os-release` says; empty where there is no such file.
pub struct System {
    release: String,
}

impl System {
    pub fn detect() -> Self {
        Self {
            release: fs::read_to_string("/etc/os-release").unwrap_or_default(),
        }
    }

    pub fn is_debian_bookworm(&self) -> bool {
        self.field("ID") == Some("debian") && self.field("VERSION_CODENAME") == Some("bookworm")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.release.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.trim_matches('"'))
        })
    }
}

pub enum PackageManager {
    /// Needs root.
    Apt,
    Homebrew,
}

impl PackageManager {
    pub fn find() -> Option<Self> {
        if find_program("apt-get").is_some() {
            return Some(Self::Apt);
        }
        find_program("brew").map(|_| Self::Homebrew)
    }
}

/// Packages to install, by the names that each package manager knows.
#[derive(Default)]
pub struct Missing {
    apt: Vec<&'static str>,
    homebrew: Vec<&'static str>,
}

impl Missing {
    pub fn add_redis(&mut self) {
        // Whoever names a Redis of his own needs no server here.
        let has_server =
            std::env::var_os("REDIS_URL").is_some() || any(&["redis-server", "valkey-server"]);
        let has_client = any(&["redis-cli", "valkey-cli"]);
        if !has_server {
            self.apt.push("redis-server");
        }
        if !has_client {
            self.apt.push("redis-tools");
        }
        if !has_server || !has_client {
            self.homebrew.push("redis");
        }
    }

    pub fn add_python(&mut self) {
        // Debian's Python comes without what makes a virtual environment.
        let mut asked = Command::new("python3");
        asked.args(["-c", "import ensurepip, venv"]);
        if process::output(&mut asked).is_err() {
            self.apt.push("python3-venv");
            self.homebrew.push("python");
        }
    }

    pub fn add_chromium(&mut self) {
        const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];
        const MAC: &str = "/Applications/Google Chrome.app";
        if !any(BROWSERS) && !Path::new(MAC).exists() {
            self.apt.push("chromium");
            self.homebrew.push("--cask chromium");
        }
    }

    /// Packages that are asked for by name, since other packages have programs of the same name.
    pub fn add_debian(&mut self, packages: &[&'static str]) {
        let installed = |package: &str| {
            let mut query = Command::new("dpkg-query");
            query.args(["--show", "--showformat=${db:Status-Status}", package]);
            process::output(&mut query).is_ok_and(|status| status == "installed")
        };
        self.apt
            .extend(packages.iter().filter(|package| !installed(package)));
    }

    pub fn install(self, project: &Project, manager: Option<PackageManager>) -> Result<()> {
        if self.apt.is_empty() {
            return Ok(());
        }
        match manager {
            Some(PackageManager::Apt) if is_root()? => install_by_apt(project, &self.apt),
            Some(PackageManager::Apt) => bail!(
                "system packages are missing, and only root can install them; run this, then try again:\n\n    \
                 sudo apt-get update && sudo apt-get install --yes --no-install-recommends {}\n",
                self.apt.join(" ")
            ),
            Some(PackageManager::Homebrew) => install_by_homebrew(project, &self.homebrew),
            None => bail!(
                "these programs are missing: {}; install them by your system's own means \
                 (or set REDIS_URL to a Redis of yours)",
                self.apt.join(", ")
            ),
        }
    }
}

fn install_by_apt(project: &Project, packages: &[&str]) -> Result<()> {
    let step = |what, log| -> Result<LongStep> {
        Ok(LongStep {
            verb: "Installing",
            what,
            log: project.state(log)?,
            time_limit: None,
        })
    };
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command
            .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step("the list of Debian packages", "apt-update.log")?.run(apt_get().arg("update"))?;
    step(&packages.join(" "), "apt-install.log")?.run(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )?;
    if packages.contains(&"redis-server") {
        stop_redis_service();
    }
    Ok(())
}

/// Debian starts the service it installs, and nobody asked for one: the edge runs a private
/// Redis. Only right after we installed it, never a service that was there before.
fn stop_redis_service() {
    let booted_by_systemd = Path::new("/run/systemd/system").is_dir();
    let mut command = if booted_by_systemd {
        let mut command = Command::new("systemctl");
        command.args(["disable", "--now", "redis-server"]);
        command
    } else {
        let mut command = Command::new("service");
        command.args(["redis-server", "stop"]);
        command
    };
    // `service … stop` fails for one that never started, as in most containers.
    if process::output(&mut command).is_err() && booted_by_systemd {
        process::warn(
            "Debian's redis-server service may be running: stop it by `systemctl disable --now redis-server`",
        );
    }
}

fn install_by_homebrew(project: &Project, packages: &[&str]) -> Result<()> {
    for package in packages {
        LongStep {
            verb: "Installing",
            what: &format!("{package} by Homebrew"),
            log: project.state("homebrew.log")?,
            time_limit: None,
        }
        .run(Command::new("brew").arg("install").args(package.split(' ')))?;
    }
    Ok(())
}

fn any(programs: &[&str]) -> bool {
    programs
        .iter()
        .any(|program| find_program(program).is_some())
}

/// By the owner of our own process's folder in /proc; apt-get exists on Linux only.
fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
