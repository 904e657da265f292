//! `cargo xtask build`: components, web client, host.

mod web_client;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{
    component, process,
    project::{Project, write_if_changed},
    setup::{self, Need},
    toolchain::{Target, Toolchain, cargo},
};

pub const HELP: &str = "\
Usage: cargo xtask build [PART]...

Builds the given parts, or all of them; what has not changed is not built again.

  moderation   target/components/moderation.wasm   from moderation-wasm, imports nothing
  analytics    target/components/analytics.wasm    from analytics-wasm, imports nothing
  hub          target/components/hub.wasm          from edge-hub/core and edge-hub/guest
  web          target/components/web.wasm          from clients/web and components/web
  host         target/debug/clustertalk            from edge-hub/core and edge-hub/host

A running host picks up a component as soon as it is replaced.
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Guest(&'static Guest),
    Host,
}

/// A crate that becomes `target/components/<name>.wasm`.
#[derive(PartialEq, Eq)]
pub struct Guest {
    pub name: &'static str,
    pub package: &'static str,
    pub target: Target,
}

pub const GUESTS: [Guest; 4] = [
    Guest {
        name: "moderation",
        package: "clustertalk-moderation-wasm",
        target: Target::Unknown,
    },
    Guest {
        name: "analytics",
        package: "clustertalk-analytics-wasm",
        target: Target::Unknown,
    },
    Guest {
        name: "hub",
        package: "clustertalk-guest",
        target: Target::Wasip2,
    },
    Guest {
        name: WEB,
        package: "clustertalk-web",
        target: Target::Wasip2,
    },
];

/// The guest that holds the built web client.
const WEB: &str = "web";

/// The web client alone, into clients/web/dist.
pub fn web_client(project: &Project) -> Result<()> {
    web_client::build(project)
}

/// Builds the named parts; all of them if none is named.
pub fn run(project: &Project, names: &[String]) -> Result<()> {
    let parts = parts(names)?;
    setup::ensure(project, &needs(&parts))?;
    for part in parts {
        match part {
            Part::Guest(guest) => {
                if guest.name == WEB {
                    web_client::build(project)?;
                }
                build_guest(project, guest)?;
            }
            Part::Host => build_host(project)?,
        }
    }
    Ok(())
}

fn parts(names: &[String]) -> Result<Vec<Part>> {
    let all = || GUESTS.iter().map(Part::Guest).chain([Part::Host]);
    if names.is_empty() {
        return Ok(all().collect());
    }
    let find = |name: &String| all().find(|part| part.name() == name);
    names
        .iter()
        .map(|name| {
            find(name)
                .with_context(|| format!("no part `{name}`; `cargo xtask build --help` lists them"))
        })
        .collect()
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Guest(guest) => guest.name,
            Self::Host => "host",
        }
    }
}

fn needs(parts: &[Part]) -> Vec<Need> {
    let mut needs = Vec::new();
    for part in parts {
        let Part::Guest(guest) = part else { continue };
        if !needs.contains(&Need::Target(guest.target)) {
            needs.push(Need::Target(guest.target));
        }
        if guest.name == WEB {
            needs.push(Need::WebPackages);
        }
    }
    needs
}

fn build_guest(project: &Project, guest: &Guest) -> Result<()> {
    let toolchain = Toolchain::find(project, guest.target)
        .with_context(|| format!("no compiler for {}", guest.target.name()))?;
    // `--crate-type`, and not a `crate-type` in Cargo.toml: beside an rlib, cargo would silently
    // leave out the optimisation at link time, and a native build would link a library that
    // nobody loads.
    let mut command = toolchain.cargo(project, guest.target, "rustc")?;
    command.args([
        "--package",
        guest.package,
        "--lib",
        "--crate-type",
        "cdylib",
    ]);
    process::run(&mut command)?;

    let module = project
        .guest_target()
        .join(guest.target.name())
        .join("release")
        .join(format!("{}.wasm", guest.package.replace('-', "_")));
    let component = match guest.target {
        Target::Unknown => component::pure_component(&module)?,
        // The linker for this target writes a component.
        Target::Wasip2 => {
            fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?
        }
    };
    if write_if_changed(&project.component(guest.name), &component)? {
        process::say(
            "Built",
            &format!(
                "target/components/{}.wasm ({} KiB)",
                guest.name,
                component.len() / 1024
            ),
        );
    }
    Ok(())
}

fn build_host(project: &Project) -> Result<()> {
    process::run(
        cargo()
            .args(["build", "--package", "clustertalk-host", "--target-dir"])
            .arg(project.target())
            .current_dir(&project.root),
    )?;
    if !project.host_binary().is_file() {
        bail!("cargo built no {}", project.host_binary().display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_found_by_its_name_and_listed_in_the_help() {
        for part in parts(&[]).expect("no name is wrong") {
            assert!(parts(&[part.name().to_owned()]).expect("it has a name") == [part]);
            assert!(
                HELP.contains(&format!("\n  {} ", part.name())),
                "{}",
                part.name()
            );
        }
        assert!(parts(&["hubs".to_owned()]).is_err());
    }

    #[test]
    fn one_pure_component_needs_neither_npm_nor_wasi() {
        let parts = parts(&["moderation".to_owned()]).expect("it has a name");
        assert!(needs(&parts) == [Need::Target(Target::Unknown)]);
    }
}
