//! The HTTP API against its description: schemathesis, a program in Python, makes requests of
//! `edge-hub/protocol/openapi.json`, good ones and bad ones, and looks whether the answers are as it says.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

use super::report::Counts;
use crate::{process, project::Project, setup, toolchain::cargo};

const FOLDER: &str = "edge-hub/host/tests/http_schema";

/// For HS256, and as the key of a server.
const SECRET: &str = "ctk_0123456789abcdef0123456789abcdef";
/// SHA-256 of it.
const SECRET_DIGEST: &str = "44f15084f8722b947ba46696349cbf3ac02ca018d8931da50307dcdf7f313312";

/// How requests are made: few enough for a minute or two, and the same each time.
const ARGUMENTS: &[&str] = &[
    "--checks=all",
    "--phases=examples,coverage,fuzzing,stateful",
    "--max-examples=25",
    "--seed=1",
    "--generation-deterministic",
    "--continue-on-failure",
    "--request-timeout=15",
    "--no-color",
    "--warnings=off",
    // After a deletion a public room is as before its creation: a name that anybody may use, where
    // nothing was said. So what asks about it is answered all the same.
    "--exclude-checks=use_after_free",
    // It never ends, so schemathesis, which reads answers whole, would wait for ever. The system tests
    // read it (`http.rs`), and ask for it badly (`bad_input.rs`).
    "--exclude-path=/api/v1/rooms/{room}/events",
];

/// The kinds of callers, with the name that each has in `callers.py`, and whether names may be chosen.
const CALLERS: &[(&str, bool)] = &[("name", true), ("key", false), ("token", false)];

/// One test for each kind of caller.
pub fn run(project: &Project) -> Result<Counts> {
    let program = install(project)?;
    // With the host that the other tests use.
    process::run(
        cargo()
            .args(["test", "--no-run", "--quiet", "--target-dir"])
            .arg(project.target())
            .current_dir(&project.root),
    )?;
    let mut counts = Counts::default();
    for (caller, anonymous) in CALLERS {
        process::say(
            "Trying",
            &format!("the HTTP API as a caller with a {caller}"),
        );
        match attack(project, &program, caller, *anonymous) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                process::fail(&format!("{error:#}"));
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}

fn attack(project: &Project, program: &Path, caller: &str, anonymous: bool) -> Result<()> {
    let edge = Edge::start(project, anonymous)?;
    let folder = project.path("target/http-schema");
    // What it found last time is no reason to begin with it.
    let _ = fs::remove_dir_all(folder.join(".schemathesis"));
    process::run(
        Command::new(program)
            .arg("run")
            .arg(format!("{}/api/v1/openapi.json", edge.url))
            .args(ARGUMENTS)
            .current_dir(folder)
            .env("SCHEMATHESIS_HOOKS", "callers")
            .env("PYTHONPATH", project.path(FOLDER))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("CALLER", caller)
            .env("CALLER_SECRET", SECRET),
    )
}

/// An edge with a Redis of its own, which has nothing in it.
struct Edge {
    child: Child,
    url: String,
}

impl Edge {
    fn start(project: &Project, anonymous: bool) -> Result<Self> {
        let data = project.path("target/http-schema/data");
        // What was compiled for the last one is kept.
        let _ = fs::remove_dir_all(data.join("redis"));
        let identity = r#"[{"issuer": "test", "audience": "chat", "algorithm": "HS256"}]"#;
        let secrets = format!(r#"{{"test": "{SECRET}"}}"#);
        let keys = format!(r#"[{{"name": "test", "sha256": "{SECRET_DIGEST}"}}]"#);
        let mut command = Command::new(project.host_binary());
        command
            .args(["up", "--listen=127.0.0.1:0", "--admin=off", "--data"])
            .arg(&data)
            // The limits of rates have tests of their own.
            .args(["--limit-messages-per-second=1000", "--limit-burst=10000"])
            .env_remove("REDIS_URL")
            .current_dir(&project.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if !anonymous {
            command
                .env("SPIN_VARIABLE_IDENTITY", identity)
                .env("SPIN_VARIABLE_IDENTITY_SECRETS", secrets)
                .env("SPIN_VARIABLE_PUBLISH_KEYS", keys);
        }
        let mut child = command.spawn().context("the edge does not start")?;
        let output = child.stdout.take().context("its output was asked for")?;
        let mut edge = Self {
            child,
            url: String::new(),
        };
        let mut lines = BufReader::new(output).lines();
        for line in &mut lines {
            let line = line?;
            if let Some((_, rest)) = line.split_once("is up: ") {
                rest.split(' ')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut edge.url);
                break;
            }
        }
        anyhow::ensure!(!edge.url.is_empty(), "the edge ended before it was up");
        // Whoever writes to a pipe that nobody reads has to wait some day.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(edge)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // Its Redis ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs schemathesis, exactly as `requirements.txt` has it, unless it is there.
fn install(project: &Project) -> Result<PathBuf> {
    let requirements = project.path(FOLDER).join("requirements.txt");
    setup::python_program(project, "schemathesis", &requirements)
}
