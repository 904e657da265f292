//! `cargo xtask tidy`: the project's invariants as code. Each check names the file and the reason.

mod crates;
mod rust_source;
mod tree;

use anyhow::{Context, Result, bail};

use crate::{component, process, project::Project};
use tree::SourceFile;

pub const HELP: &str = "\
Usage: cargo xtask tidy

Checks what ARCHITECTURE.md promises and no compiler holds:

  core        reads no clock, socket, thread, file, environment or random source
  hub         and commands know neither Redis nor GRIP
  host        uses only a few modules of core
  worker      uses nothing of std that compiles for it and panics there
  environment is read by edge-hub/host/src/config.rs alone
  crates      no platform depends on another, components on nothing of ours
  components  moderation and analytics import nothing (they must be built)
  length      no source file is longer than 900 lines
  codes       PROTOCOL.md names every code of codes.json
  folders     only those of the layout at the top
  reasons     ARCHITECTURE.md names every dependency
";

/// What does not hold.
pub struct Problem {
    file: String,
    reason: String,
}

impl Problem {
    fn new(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            reason: reason.into(),
        }
    }
}

type Check = fn(&Project, &[SourceFile]) -> Result<Vec<Problem>>;

const CHECKS: &[(&str, Check)] = &[
    ("core", |_, files| Ok(core_is_pure(files))),
    ("hub", |_, files| Ok(hub_knows_no_store(files))),
    ("host", |_, files| {
        Ok(host_decides_nothing_about_chat(files))
    }),
    ("worker", |_, files| Ok(worker_asks_the_platform(files))),
    ("environment", |_, files| {
        Ok(one_file_reads_the_environment(files))
    }),
    ("crates", |project, _| crates::boundaries(project)),
    ("components", |project, _| {
        pure_components_import_nothing(project)
    }),
    ("length", |_, files| Ok(no_file_is_too_long(files))),
    ("codes", |project, _| every_code_is_explained(project)),
    ("folders", |project, _| tree::top_level(project)),
    ("reasons", |project, _| crates::reasons(project)),
];

pub fn run(project: &Project) -> Result<()> {
    let files = tree::source_files(project)?;
    let mut count = 0;
    for (name, check) in CHECKS {
        for problem in check(project, &files).with_context(|| format!("check `{name}`"))? {
            process::fail(&format!("{}: {} [{name}]", problem.file, problem.reason));
            count += 1;
        }
    }
    if count > 0 {
        bail!("{count} invariants do not hold");
    }
    Ok(())
}

fn core_is_pure(files: &[SourceFile]) -> Vec<Problem> {
    const CRATES: &[&str] = &["tokio", "rand", "getrandom", "fastrand"];
    let mut problems = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("edge-hub/core/src/"))
    {
        for path in of_the_platform(file, &["io"]) {
            problems.push(Problem::new(
                &file.path,
                format!("core does no IO and is told the time, but uses std::{path}"),
            ));
        }
        for name in CRATES {
            if !file.rust().paths_under(name).is_empty() {
                problems.push(Problem::new(
                    &file.path,
                    format!("core does no IO and draws no numbers, but uses {name}"),
                ));
            }
        }
    }
    problems
}

/// The target has these, and each call of them panics at run time.
fn worker_asks_the_platform(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("edge-hub/cloudflare/src/"))
    {
        for path in of_the_platform(file, &[]) {
            problems.push(Problem::new(
                &file.path,
                format!("a Worker has no std::{path}: ask the platform (clock.rs for the time)"),
            ));
        }
    }
    problems
}

/// What a file uses of std that an operating system has to do, and of `more` modules.
fn of_the_platform(file: &SourceFile, more: &[&str]) -> Vec<String> {
    const MODULES: &[&str] = &["env", "fs", "net", "os", "process", "thread"];
    const CLOCKS: &[&str] = &["time::Instant", "time::SystemTime", "time::UNIX_EPOCH"];
    let is_of_the_platform = |path: &str| {
        let first = path.split("::").next().unwrap_or_default();
        let is_clock = CLOCKS.iter().any(|clock| path.starts_with(clock)) || path == "time::*";
        MODULES.contains(&first) || more.contains(&first) || is_clock
    };
    let mut paths = file.rust().paths_under("std");
    paths.retain(|path| is_of_the_platform(path));
    paths
}

fn hub_knows_no_store(files: &[SourceFile]) -> Vec<Problem> {
    const FOLDERS: &[&str] = &["edge-hub/core/src/hub", "edge-hub/core/src/command"];
    const FORBIDDEN: &[&str] = &["redis", "grip"];
    let mut problems = Vec::new();
    for file in files
        .iter()
        .filter(|file| FOLDERS.iter().any(|folder| file.path.starts_with(folder)))
    {
        for root in ["crate", "super"] {
            for path in file.rust().paths_under(root) {
                if path.split("::").any(|segment| FORBIDDEN.contains(&segment)) {
                    problems.push(Problem::new(
                        &file.path,
                        format!(
                            "the hub emits effects and knows no store, but uses {root}::{path}"
                        ),
                    ));
                }
            }
        }
    }
    problems
}

fn host_decides_nothing_about_chat(files: &[SourceFile]) -> Vec<Problem> {
    const ALLOWED: &[&str] = &[
        "delivery",
        "ids",
        "limits",
        "log",
        "protocol",
        "redis",
        "statistics",
        "store",
        "time",
    ];
    // It makes tokens for development, which have to count by the rules that an edge has.
    const MINT: &str = "edge-hub/host/src/command/token.rs";
    let mut problems = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("edge-hub/host/src/"))
    {
        for path in file.rust().paths_under("clustertalk_core") {
            let module = path.split("::").next().unwrap_or_default();
            let is_mint = module == "auth" && file.path == MINT;
            if !ALLOWED.contains(&module) && !is_mint {
                problems.push(Problem::new(
                    &file.path,
                    format!(
                        "the host uses only {} of core, but uses {path}",
                        ALLOWED.join(", ")
                    ),
                ));
            }
        }
    }
    problems
}

fn one_file_reads_the_environment(files: &[SourceFile]) -> Vec<Problem> {
    const READER: &str = "edge-hub/host/src/config.rs";
    let mut problems = Vec::new();
    for file in files {
        // Cargo speaks to build scripts by the environment; tests and bots to copy are not the product.
        let is_exempt = [READER, "/build.rs", "/build/", "/tests/", "clients/bots/"]
            .iter()
            .any(|part| file.path.contains(part));
        if is_exempt || file.path.starts_with("xtask/") || !file.is_rust() {
            continue;
        }
        let rust = file.rust();
        let paths = rust.paths_under("std").into_iter().chain(
            rust.paths_under("env")
                .into_iter()
                .map(|path| format!("env::{path}")),
        );
        for path in paths.filter(|path| path.starts_with("env::var")) {
            problems.push(Problem::new(
                &file.path,
                format!("only {READER} reads the environment, but this uses {path}"),
            ));
        }
    }
    problems
}

fn pure_components_import_nothing(project: &Project) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in ["moderation", "analytics"] {
        let file = format!("target/components/{name}.wasm");
        let Ok(bytes) = std::fs::read(project.component(name)) else {
            problems.push(Problem::new(
                file,
                format!("not built, run `cargo xtask build {name}`"),
            ));
            continue;
        };
        let imports = component::imports(&bytes)?;
        if !imports.is_empty() {
            problems.push(Problem::new(
                file,
                format!("must import nothing, but imports {}", imports.join(", ")),
            ));
        }
    }
    Ok(problems)
}

fn no_file_is_too_long(files: &[SourceFile]) -> Vec<Problem> {
    const MOST: usize = 900;
    files
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MOST)
        .map(|(file, lines)| {
            Problem::new(
                &file.path,
                format!("{lines} lines: look for the second subject (at most {MOST})"),
            )
        })
        .collect()
}

fn every_code_is_explained(project: &Project) -> Result<Vec<Problem>> {
    const CODES: &str = "edge-hub/protocol/codes.json";
    const EXPLAINED: &str = "edge-hub/protocol/PROTOCOL.md";
    let codes: serde_json::Value = serde_json::from_str(&tree::read(project, CODES)?)?;
    let Ok(explained) = tree::read(project, EXPLAINED) else {
        return Ok(vec![Problem::new(EXPLAINED, "is missing")]);
    };
    let mut problems = Vec::new();
    for table in ["errors", "closes"] {
        let rows = codes[table]
            .as_array()
            .with_context(|| format!("{CODES} has no list `{table}`"))?;
        for row in rows {
            // Errors are named by a word, closes by a number.
            let code = row["code"]
                .as_str()
                .map_or_else(|| row["code"].to_string(), str::to_owned);
            if !tree::has_word(&explained, &code) {
                problems.push(Problem::new(
                    EXPLAINED,
                    format!("does not name the code {code} of {CODES}"),
                ));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(check: fn(&[SourceFile]) -> Vec<Problem>, path: &str, text: &str) -> usize {
        check(&[SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
        .len()
    }

    #[test]
    fn core_may_use_durations_and_no_clock() {
        let core = |text| check(core_is_pure, "edge-hub/core/src/hub.rs", text);
        assert_eq!(
            core(
                "use std::{fmt, time::Duration};\n// std::net is not for us\nlet s = \"std::fs\";"
            ),
            0
        );
        assert_eq!(core("use std::time::{Duration, Instant};"), 1);
        assert_eq!(core("let now = std::time::SystemTime::now();"), 1);
        assert_eq!(
            core("use std::{collections::BTreeMap, net::{TcpStream, UdpSocket}};"),
            2
        );
        assert_eq!(core("tokio::spawn(work);"), 1);
        assert_eq!(core("use std::time::*;"), 1);
    }

    #[test]
    fn a_worker_may_use_durations_and_no_clock() {
        let worker = |text| {
            check(
                worker_asks_the_platform,
                "edge-hub/cloudflare/src/edge.rs",
                text,
            )
        };
        assert_eq!(worker("use std::{rc::Rc, time::Duration};"), 0);
        assert_eq!(worker("use std::time::Instant;"), 1);
        assert_eq!(worker("std::thread::sleep(span);"), 1);
    }

    #[test]
    fn hub_may_not_reach_the_store_by_any_path() {
        let hub = |text| {
            check(
                hub_knows_no_store,
                "edge-hub/core/src/command/send.rs",
                text,
            )
        };
        assert_eq!(hub("use crate::{effect::Effect, ids::RoomName};"), 0);
        assert_eq!(hub("use crate::{effect::Effect, redis::Append};"), 1);
        assert_eq!(hub("let a = super::super::redis::append();"), 1);
        assert_eq!(hub("/// See [`crate::redis`].\nlet redis = 1;"), 0);
    }

    #[test]
    fn host_uses_a_few_modules_of_core() {
        let host = |text| {
            check(
                host_decides_nothing_about_chat,
                "edge-hub/host/src/relay.rs",
                text,
            )
        };
        assert_eq!(
            host("use clustertalk_core::{delivery::{RoomCursor, Page}, time::Timestamp};"),
            0
        );
        assert_eq!(
            host("use clustertalk_core::{delivery::RoomCursor, hub::Hub};"),
            1
        );
        assert_eq!(host("clustertalk_core::command::send()"), 1);
    }

    #[test]
    fn environment_is_read_in_one_place() {
        let check = |path, text| check(one_file_reads_the_environment, path, text);
        for text in [
            "use std::env;\nlet a = env::var(\"A\");",
            "std::env::var_os(\"A\")",
            "use std::env::{self, vars};",
        ] {
            assert_eq!(check("edge-hub/host/src/store.rs", text), 1, "{text}");
            assert_eq!(check("edge-hub/host/src/config.rs", text), 0, "{text}");
            assert_eq!(check("edge-hub/core/build.rs", text), 0, "{text}");
        }
        assert_eq!(
            check("edge-hub/host/tests/system.rs", "std::env::temp_dir()"),
            0
        );
    }

    #[test]
    fn each_check_is_listed_in_the_help() {
        for (name, _) in CHECKS {
            assert!(HELP.contains(&format!("\n  {name} ")), "{name}");
        }
    }
}
