//! `cargo xtask test`: everything that must hold, in groups.

mod deny;
mod http_schema;
mod report;

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, Result};

use crate::{
    build::{self, GUESTS},
    cloudflare, codegen, moderators, process,
    project::Project,
    setup::{self, Need},
    tidy,
    toolchain::{Target, Toolchain, cargo},
};
use report::{Counts, Row};

pub const HELP: &str = "\
Usage: cargo xtask test [GROUP]...

Installs what is missing, builds, and runs the given groups, or all of them. Ends with a table
and, alone on the last line, `N passed, N failed`.

  format      cargo fmt --check
  lint        clippy, warnings are errors
  lint-guests the same for the components, on their targets
  rust        cargo test
  tidy        the project's own invariants (see `cargo xtask tidy --help`)
  codegen     generated files are fresh
  deny        licences, sources and bans of all crates
  web-lint    eslint
  web-types   tsc
  web         vitest
  http-schema the HTTP API against its description, by schemathesis: good and bad requests
  conformance the native host against PROTOCOL.md, by `clustertalk-conformance`
  cloudflare  the Worker in the platform's own runtime, beside a native edge
  moderators  the example moderators in Rust, JavaScript and Python, in the host's sandbox
  browser     the built edge with pages in Chromium, and with the packed client in Chromium and Node
";

/// One group of tests.
struct Group {
    name: &'static str,
    needs: &'static [Need],
    /// Parts to build first; `None` builds nothing.
    parts: Option<&'static [&'static str]>,
    run: fn(&Project) -> Result<Counts>,
}

const TARGETS: &[Need] = &[Need::Target(Target::Wasip2), Need::Target(Target::Unknown)];
/// The host is not among them: `cargo test` builds it, with the features that tests ask for, and
/// wasmtime should be compiled once.
const COMPONENTS: Option<&[&str]> = Some(&["moderation", "analytics", "hub", "web"]);

/// In the order in which they run: what fails fastest first.
const GROUPS: &[Group] = &[
    Group {
        name: "format",
        needs: &[],
        parts: None,
        run: format,
    },
    Group {
        name: "web-lint",
        needs: &[Need::WebPackages],
        parts: None,
        run: |project| npm(project, &["run", "lint"]),
    },
    Group {
        name: "web-types",
        needs: &[Need::WebPackages],
        parts: None,
        run: |project| npm(project, &["run", "typecheck"]),
    },
    Group {
        name: "web",
        needs: &[Need::WebPackages],
        parts: None,
        run: |project| npm(project, &["test"]),
    },
    Group {
        name: "codegen",
        needs: &[Need::WebPackages],
        parts: None,
        run: |project| one(codegen::run(project, true)),
    },
    Group {
        name: "tidy",
        needs: &[],
        parts: Some(&["moderation", "analytics"]),
        run: |project| one(tidy::run(project)),
    },
    Group {
        name: "rust",
        needs: &[Need::Redis],
        parts: COMPONENTS,
        run: rust,
    },
    Group {
        name: "http-schema",
        needs: &[Need::Redis, Need::Python],
        parts: COMPONENTS,
        run: http_schema::run,
    },
    Group {
        name: "browser",
        needs: &[Need::Redis, Need::Tests, Need::WebPackages],
        parts: COMPONENTS,
        run: browser,
    },
    Group {
        name: "conformance",
        needs: &[Need::Redis],
        parts: COMPONENTS,
        run: conformance,
    },
    Group {
        name: "cloudflare",
        needs: cloudflare::TEST_NEEDS,
        parts: COMPONENTS,
        run: cloudflare,
    },
    Group {
        name: "moderators",
        needs: moderators::NEEDS,
        parts: COMPONENTS,
        run: try_moderators,
    },
    Group {
        name: "lint",
        needs: &[],
        parts: None,
        run: lint,
    },
    Group {
        name: "lint-guests",
        needs: TARGETS,
        parts: Some(&["web"]),
        run: lint_guests,
    },
    Group {
        name: "deny",
        needs: &[],
        parts: None,
        run: |project| one(deny::run(project)),
    },
];

/// Runs the named groups; all of them if none is named. True if all passed.
pub fn run(project: &Project, names: &[String]) -> Result<bool> {
    let groups = groups(names)?;
    // All at once, before anything runs: whoever has to ask an administrator asks once.
    let mut needs: Vec<Need> = Vec::new();
    for need in groups.iter().flat_map(|group| group.needs) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    setup::ensure(project, &needs)?;

    let mut rows = Vec::new();
    for group in groups {
        process::say("Testing", group.name);
        let start = Instant::now();
        let result = build_parts(project, group).and_then(|()| (group.run)(project));
        let row = Row::new(group.name, start.elapsed(), result);
        process::say(
            if row.counts.failed == 0 {
                "Passed"
            } else {
                "Failed"
            },
            &row.summary(),
        );
        rows.push(row);
    }
    let failed: Vec<_> = rows
        .iter()
        .filter(|row| row.counts.failed > 0)
        .map(|row| row.name)
        .collect();
    if !failed.is_empty() {
        process::fail(&format!(
            "failed: {}; one group alone: `cargo xtask test {}`",
            failed.join(", "),
            failed[0]
        ));
    }
    report::print(&rows);
    Ok(failed.is_empty())
}

fn groups(names: &[String]) -> Result<Vec<&'static Group>> {
    if names.is_empty() {
        return Ok(GROUPS.iter().collect());
    }
    let find = |name: &String| GROUPS.iter().find(|group| group.name == name);
    names
        .iter()
        .map(|name| {
            find(name)
                .with_context(|| format!("no group `{name}`; `cargo xtask test --help` lists them"))
        })
        .collect()
}

fn build_parts(project: &Project, group: &Group) -> Result<()> {
    let Some(parts) = group.parts else {
        return Ok(());
    };
    let names: Vec<_> = parts.iter().map(|name| (*name).to_owned()).collect();
    build::run(project, &names)
}

fn format(project: &Project) -> Result<Counts> {
    one(process::run(
        cargo()
            .args(["fmt", "--all", "--check"])
            .current_dir(&project.root),
    ))
}

fn rust(project: &Project) -> Result<Counts> {
    report::count(
        cargo()
            .args(["test", "--no-fail-fast", "--target-dir"])
            .arg(project.target())
            .current_dir(&project.root),
    )
}

/// The native host by the program that any edge can be held to, and that program by its faults.
fn conformance(project: &Project) -> Result<Counts> {
    build_host(project)?;
    report::count(
        cargo()
            .args(["test", "--test", "native", "--target-dir"])
            .arg(project.target())
            .current_dir(&project.root),
    )
}

/// One test for each language, with the host that the other tests use.
fn try_moderators(project: &Project) -> Result<Counts> {
    build_host(project)?;
    let mut counts = Counts::default();
    for language in moderators::Language::ALL {
        match moderators::try_out(project, language) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                process::fail(&format!("{error:#}"));
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}

/// With the host that the other tests use.
fn cloudflare(project: &Project) -> Result<Counts> {
    build_host(project)?;
    cloudflare::build(project)?;
    report::count(&mut cloudflare::tests(project)?)
}

/// With the host that the other tests use.
fn browser(project: &Project) -> Result<Counts> {
    build_host(project)?;
    npm(project, &["run", "test:browser"])
}

fn build_host(project: &Project) -> Result<()> {
    process::run(
        cargo()
            .args(["test", "--no-run", "--quiet", "--target-dir"])
            .arg(project.target())
            .current_dir(&project.root),
    )
}

fn lint(project: &Project) -> Result<Counts> {
    one(process::run(
        cargo()
            .args(["clippy", "--all-targets", "--target-dir"])
            .arg(project.target())
            .args(["--", "--deny", "warnings"])
            .current_dir(&project.root),
    ))
}

/// What only the wasm targets compile: the exports.
fn lint_guests(project: &Project) -> Result<Counts> {
    for target in Target::ALL {
        let toolchain = Toolchain::find(project, target)
            .with_context(|| format!("no compiler for {}", target.name()))?;
        let mut command = toolchain.cargo(project, target, "clippy")?;
        for guest in GUESTS.iter().filter(|guest| guest.target == target) {
            command.args(["--package", guest.package]);
        }
        if target == Target::Unknown {
            command.args(["--package", cloudflare::PACKAGE]);
            command.args(["--package", moderators::PACKAGE]);
        }
        process::run(command.args(["--", "--deny", "warnings"]))?;
    }
    Ok(Counts::ONE_PASSED)
}

fn npm(project: &Project, arguments: &[&str]) -> Result<Counts> {
    let client = project.web_client();
    // The test runners draw for a terminal otherwise, in a form that cannot be counted.
    report::count(npm_command(&client, arguments).env("NO_COLOR", "1"))
}

fn npm_command(client: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(client);
    command
}

/// A check that either holds or does not.
fn one(result: Result<()>) -> Result<Counts> {
    result.map(|()| Counts::ONE_PASSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_is_listed_in_the_help() {
        for group in GROUPS {
            assert!(
                HELP.contains(&format!("\n  {} ", group.name)),
                "{}",
                group.name
            );
            assert_eq!(
                groups(&[group.name.to_owned()])
                    .expect("it has a name")
                    .len(),
                1
            );
        }
        assert!(groups(&["rusty".to_owned()]).is_err());
    }
}
