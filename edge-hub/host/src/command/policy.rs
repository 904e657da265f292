//! `clustertalk policy`: an operator's policy, and what the moderation makes of texts.

mod build;
mod candidate;
mod explain;
mod replay;
mod score;
mod test;

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use anyhow::{Context, Result, bail};
use clustertalk_moderation_wasm::rules;

use super::output::{Cell, print, table};
use crate::{
    config::Policy,
    sandbox::moderator::{Action, Message},
};

pub async fn run(policy: Policy, variables: &BTreeMap<String, String>) -> Result<()> {
    match policy {
        Policy::Check { file } => check(&file),
        Policy::Build(build) => build::run(build, variables),
        Policy::Explain(explain) => explain::run(explain, variables).await,
        Policy::Test(test) => test::run(test, variables).await,
        Policy::Replay(replay) => replay::run(*replay, variables).await,
        Policy::Score(score) => score::run(score, variables).await,
        Policy::Rules => {
            let mut out = anstream::stdout().lock();
            out.write_all(built_in_rules().as_bytes())?;
            Ok(out.flush()?)
        }
    }
}

fn check(file: &Path) -> Result<()> {
    let policy = read(file)?;
    print(&format!("{}: {}\n", file.display(), said(&policy)))
}

/// What a policy has, in a line.
fn said(policy: &clustertalk_policy::Policy) -> String {
    let clustertalk_policy::Summary {
        rooms,
        rules,
        phrases,
        expressions,
    } = policy.summary;
    format!(
        "policy `{}`: {rules} rules with {phrases} phrases and {expressions} expressions, {rooms} sections for rooms, \
         {} tests; {} of {} bytes",
        policy.name,
        policy.tests.len(),
        policy.bytes.len(),
        clustertalk_policy::CAPACITY,
    )
}

/// A policy file; what is wrong in it is told line by line.
fn read(file: &Path) -> Result<clustertalk_policy::Policy> {
    let name = file.display();
    let source = fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    clustertalk_policy::Policy::read(&source).or_else(|problems| {
        for clustertalk_policy::Problem { line, message } in &problems {
            eprintln!("{name}:{line}: {message}");
        }
        match problems.len() {
            1 => bail!("{name} has 1 mistake"),
            more => bail!("{name} has {more} mistakes"),
        }
    })
}

fn built_in_rules() -> String {
    let rows: Vec<Vec<Cell>> = rules::built_in()
        .map(|rule| {
            vec![
                Cell::text(rule.name),
                Cell::text(rule.label.name()),
                Cell::text(rule.action().name()),
                Cell::text(rule.language.unwrap_or("english")),
            ]
        })
        .collect();
    table(&["rule", "label", "does", "language"], &rows)
}

/// A text that somebody says in a room.
fn message(room: &str, text: String) -> Message {
    Message {
        room: room.to_owned(),
        user: "policy".to_owned(),
        id: "policy".to_owned(),
        text,
        at: 0,
        reply: None,
    }
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Flag => "flag",
        Action::Mask => "mask",
        Action::Block => "block",
    }
}
