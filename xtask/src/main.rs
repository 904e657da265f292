//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod build;
mod cloudflare;
mod codegen;
mod component;
mod dev;
mod moderators;
mod process;
mod project;
mod setup;
mod test;
mod tidy;
mod toolchain;
mod train;
mod up;

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Result, bail};
use lexopt::prelude::*;

use project::Project;

/// Each command with its one line and its whole help.
const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "up",
        "Build what changed and run the edge on http://127.0.0.1:3000",
        up::HELP,
    ),
    (
        "dev",
        "The same with Vite in front, which reloads the web client",
        dev::HELP,
    ),
    (
        "build",
        "Build the components, the web client and the host",
        build::HELP,
    ),
    (
        "test",
        "Run all tests and checks, or some groups",
        test::HELP,
    ),
    (
        "bench",
        "Measure the hot path and print one table",
        bench::HELP,
    ),
    (
        "cloudflare",
        "Run, build, test or deploy the edge as a Worker",
        cloudflare::HELP,
    ),
    (
        "moderators",
        "Build and try the example moderators in three languages",
        moderators::HELP,
    ),
    ("tidy", "Check the project's invariants", tidy::HELP),
    ("codegen", "Write the generated files", codegen::HELP),
    (
        "train",
        "Train the model of the moderation component",
        train::HELP,
    ),
    ("setup", "Install what is missing", setup::HELP),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    match run(&command.to_string_lossy(), arguments.collect()) {
        Ok(true) => ExitCode::SUCCESS,
        // Said already: the last line is for whoever counts.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            process::fail(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// True if all went well.
fn run(command: &str, arguments: Vec<OsString>) -> Result<bool> {
    if matches!(command, "help" | "--help" | "-h") {
        return print_help(arguments.first());
    }
    let Some((name, _, help)) = COMMANDS.iter().find(|(name, ..)| *name == command) else {
        bail!("no command `{command}`; `cargo xtask --help` lists them");
    };
    if matches!(
        arguments.first().and_then(|first| first.to_str()),
        Some("--help" | "-h")
    ) {
        print!("{help}");
        return Ok(true);
    }
    let project = Project::find()?;
    match *name {
        "up" => up::run(&project, arguments),
        "dev" => dev::run(&project, arguments),
        "bench" => bench::run(&project, arguments),
        "build" => build::run(&project, &names(arguments)?),
        "moderators" => moderators::run(&project, &names(arguments)?),
        "test" => return test::run(&project, &names(arguments)?),
        "cloudflare" => return cloudflare::run(&project, arguments),
        "tidy" => {
            let [] = switches(arguments, [])?;
            tidy::run(&project)
        }
        "train" => train::run(&project, arguments),
        "codegen" => {
            let [check] = switches(arguments, ["check"])?;
            codegen::run(&project, check)
        }
        "setup" => {
            let [tests] = switches(arguments, ["tests"])?;
            setup::run(&project, tests)
        }
        other => unreachable!("`{other}` is listed in COMMANDS and has no arm"),
    }?;
    Ok(true)
}

fn print_help(command: Option<&OsString>) -> Result<bool> {
    if let Some(command) = command {
        return run(&command.to_string_lossy(), vec!["--help".into()]);
    }
    println!("Usage: cargo xtask <command> [arguments]\n\nCommands:");
    for (name, line, _) in COMMANDS {
        println!("  {name:<10} {line}");
    }
    println!("\n`cargo xtask <command> --help` says more.");
    Ok(true)
}

/// Arguments of a command that takes names only.
fn names(arguments: Vec<OsString>) -> Result<Vec<String>> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut names = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(names)
}

/// Arguments of a command that takes `--switches` only, in the order of `known`.
fn switches<const N: usize>(arguments: Vec<OsString>, known: [&str; N]) -> Result<[bool; N]> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut found = [false; N];
    while let Some(argument) = parser.next()? {
        match argument {
            Long(name) if known.contains(&name) => {
                let index = known.iter().position(|switch| *switch == name);
                found[index.expect("the guard found it")] = true;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(found)
}
