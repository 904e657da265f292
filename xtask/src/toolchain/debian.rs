//! Debian's Rust for WebAssembly (`rustc-web`), which comes without a standard library for any
//! wasm target. It is built here from Debian's own source into a sysroot under `target/`; no
//! system folder is written.
//!
//! Cargo gives RUSTFLAGS to the target's crates only as long as `--target` is named. So
//! `--sysroot` reaches these, while build scripts and macros are compiled with Debian's own
//! standard library.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{Target, cargo, cargo_home, has_std, remap, without_our_package};
use crate::{
    process::{self, LongStep},
    project::Project,
};

/// `lld-22` is the linker that `wasm-component-ld` starts.
pub const PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "lld-22",
];
/// Needed by the tests besides.
pub const LINT_PACKAGE: &str = "rust-web-clippy";

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const CLIPPY: &str = "/usr/bin/cargo-clippy";
const RUSTLIB: &str = "/usr/lib/rustlib";

/// Debian's compiler and the sysroot that goes with this version of it.
pub struct Debian {
    folder: PathBuf,
    host: String,
}

impl Debian {
    /// Nothing if its packages are not installed.
    pub fn find(project: &Project) -> Option<Self> {
        if !Path::new(RUSTLIB).join("src/rust/library").is_dir() || !Path::new(CARGO).is_file() {
            return None;
        }
        let version = process::output(Command::new(RUSTC).arg("-vV")).ok()?;
        let field = |name| version.lines().find_map(|line| line.strip_prefix(name));
        let release = field("release: ")?;
        Some(Self {
            folder: project
                .path("target/toolchain")
                .join(format!("debian-{release}")),
            host: field("host: ")?.to_owned(),
        })
    }

    pub fn has_std(&self, target: Target) -> bool {
        has_std(&self.libraries(target))
    }

    /// Compiler flags for the guests' own crates.
    pub fn flags(&self) -> [String; 1] {
        [format!("--sysroot={}", self.sysroot().display())]
    }

    /// The usual cargo with Debian's compiler.
    pub fn cargo(&self, subcommand: &str) -> Command {
        // clippy-driver must be of the compiler's own version; each cargo-clippy starts its neighbour.
        let mut command = match subcommand {
            "clippy" => without_our_package(Command::new(CLIPPY)),
            _ => cargo(),
        };
        command
            .arg(subcommand)
            .env("RUSTC", RUSTC)
            // Set by cargo for rustup's compiler.
            .env_remove("LD_LIBRARY_PATH");
        command
    }

    /// Builds the standard library for `target`: about 90 s on two cores.
    pub fn build_std(&self, project: &Project, target: Target) -> Result<()> {
        let name = target.name();
        let workshop = self.folder.join(format!("build-{name}"));
        write_empty_crate(&workshop)?;
        let flags = [
            // Without it the guests cannot be optimised at link time.
            "-Cembed-bitcode=yes".to_owned(),
            remap(&cargo_home()?, "/cargo"),
            remap(&Path::new(RUSTLIB).join("src/rust"), "/rust"),
        ];
        LongStep {
            verb: "Building",
            what: &format!("the standard library for {name} (once, about 90 s)"),
            log: project.state(&format!("std-{name}.log"))?,
            time_limit: None,
        }
        .run(
            without_our_package(Command::new(CARGO))
                .args([
                    "build",
                    "--release",
                    "-Zbuild-std=std,panic_abort",
                    "--target",
                    name,
                ])
                .current_dir(&workshop)
                .env("RUSTC", RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
                .env("CARGO_TARGET_DIR", workshop.join("target"))
                .env_remove("LD_LIBRARY_PATH"),
        )?;

        // The whole folder appears at once, so that an interrupted run leaves no half of it.
        let built = workshop.join("target").join(name).join("release/deps");
        let staged = workshop.join("lib");
        move_libraries(&built, &staged)?;
        if target == Target::Wasip2 {
            add_wasi_libc(&workshop, &staged.join("self-contained"))?;
        }
        let libraries = self.libraries(target);
        fs::create_dir_all(libraries.parent().context("a folder has a parent")?)?;
        fs::rename(&staged, &libraries)?;
        self.link_host_tools()?;
        fs::remove_dir_all(&workshop)?;
        Ok(())
    }

    /// The linkers are looked for in the sysroot's part for the host.
    fn link_host_tools(&self) -> Result<()> {
        let link = self.sysroot().join("lib/rustlib").join(&self.host);
        if !link.exists() {
            symlink(Path::new(RUSTLIB).join(&self.host), &link)?;
        }
        Ok(())
    }

    fn sysroot(&self) -> PathBuf {
        self.folder.join("sysroot")
    }

    fn libraries(&self, target: Target) -> PathBuf {
        self.sysroot()
            .join("lib/rustlib")
            .join(target.name())
            .join("lib")
    }
}

/// `-Zbuild-std` builds the standard library for a crate; this one has nothing else.
fn write_empty_crate(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder.join("src"))?;
    let manifest = "[package]\nname = \"empty\"\nedition = \"2024\"\n\
                    [profile.release]\npanic = \"abort\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "#![no_std]\n")?;
    Ok(())
}

fn move_libraries(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libempty-") {
            fs::rename(from.join(&name), to.join(&name))?;
        }
    }
    if !has_std(to) {
        bail!("no standard library in {}", from.display());
    }
    Ok(())
}

/// The C library that std for WASI is linked with. Bookworm's own is too old for wasip2, so the
/// one of its backports is unpacked beside, by apt but with folders of our own: that needs no
/// root and changes nothing on the system.
fn add_wasi_libc(workshop: &Path, to: &Path) -> Result<()> {
    const FILES: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];
    process::say("Fetching", "wasi-libc from Debian's backports");
    let apt = workshop.join("apt");
    let sources = apt.join("sources");
    fs::create_dir_all(&sources)?;
    fs::create_dir_all(apt.join("lists/partial"))?;
    fs::write(sources.join("backports.sources"), backports_source()?)?;
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command
            .current_dir(&apt)
            .args(["-q", "-o", "Dir::Etc::SourceList=/dev/null", "-o"])
            .arg(format!("Dir::Etc::SourceParts={}", sources.display()))
            .arg("-o")
            .arg(format!("Dir::State::Lists={}", apt.join("lists").display()))
            .args([
                "-o",
                "Dir::Cache::pkgcache=",
                "-o",
                "Dir::Cache::srcpkgcache=",
            ])
            // Else apt warns that its own user cannot write here.
            .args(["-o", "APT::Sandbox::User="]);
        command
    };
    process::output(apt_get().arg("update"))?;
    process::output(apt_get().args(["download", "wasi-libc"]))?;
    let package = fs::read_dir(&apt)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no wasi-libc")?;
    let unpacked = apt.join("unpacked");
    process::output(Command::new("dpkg").arg("-x").args([&package, &unpacked]))?;
    fs::create_dir_all(to)?;
    for file in FILES {
        let from = unpacked.join("usr/lib/wasm32-wasip2").join(file);
        fs::copy(&from, to.join(file)).with_context(|| format!("no {}", from.display()))?;
    }
    Ok(())
}

/// The machine's own Debian source, in either of apt's formats, pointed at the backports.
fn backports_source() -> Result<String> {
    const SUITE: &str = "bookworm";
    const BACKPORTS: &str = "bookworm-backports";
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let source = match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => stanza_for(&text, SUITE, BACKPORTS),
            Some("list") => line_for(&text, SUITE, BACKPORTS),
            _ => None,
        };
        if let Some(source) = source {
            return Ok(source);
        }
    }
    bail!("no source of Debian {SUITE} in /etc/apt, so wasi-libc cannot be fetched")
}

/// The first stanza of a `.sources` file that has `suite`, for `other` instead.
fn stanza_for(text: &str, suite: &str, other: &str) -> Option<String> {
    let suites = |line: &str| line.strip_prefix("Suites:").map(str::to_owned);
    let stanza = text.split("\n\n").find(|stanza| {
        let mut named = stanza.lines().filter_map(suites);
        named.any(|names| names.split_whitespace().any(|name| name == suite))
    })?;
    let lines = stanza.lines().map(|line| match suites(line) {
        Some(_) => format!("Suites: {other}\n"),
        None => format!("{line}\n"),
    });
    Some(lines.collect())
}

/// The first line of a `.list` file that has `suite`, for `other` instead, as a stanza.
fn line_for(text: &str, suite: &str, other: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.strip_prefix("deb ")?.trim();
        let (options, rest) = match line.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", line),
        };
        let mut words = rest.split_whitespace();
        let (uri, named) = (words.next()?, words.next()?);
        let signed_by = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(|key| format!("Signed-By: {key}\n"))
            .unwrap_or_default();
        (named == suite).then(|| {
            format!("Types: deb\nURIs: {uri}\nSuites: {other}\nComponents: main\n{signed_by}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: &str = "Types: deb\nURIs: mirror\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                           Types: deb\nURIs: security\nSuites: bookworm-security\nComponents: main\n";

    #[test]
    fn stanza_of_the_suite_is_taken_and_no_other() {
        let expected = "Types: deb\nURIs: mirror\nSuites: bookworm-backports\nComponents: main\n";
        let found = stanza_for(SOURCES, "bookworm", "bookworm-backports");
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(stanza_for(SOURCES, "trixie", "trixie-backports"), None);
    }

    #[test]
    fn one_line_source_becomes_a_stanza() {
        let text = "# deb mirror bookworm main\ndeb security bookworm-security main\n\
                    deb [arch=amd64 signed-by=/key] mirror bookworm main contrib\n";
        let expected = "Types: deb\nURIs: mirror\nSuites: bookworm-backports\nComponents: main\n\
                        Signed-By: /key\n";
        let found = line_for(text, "bookworm", "bookworm-backports");
        assert_eq!(found.as_deref(), Some(expected));
    }
}
