//! `clustertalk verify`: whether the logs of rooms, or their moderation logs, are whole.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use clustertalk_core::{
    ids::RoomName,
    log::{Checker, Finding},
};
use serde_json::json;

use super::{
    database::{self, Stretches},
    output::{BAD, DIM, GOOD, plain, print_json},
};
use crate::{config::Verify, store::Store};

/// Findings of one room that are told.
const TOLD: usize = 100;

pub async fn run(verify: Verify) -> Result<()> {
    let store = database::open(&verify.database).await?;
    let rooms: Vec<RoomName> = match verify.all {
        true => database::rooms(&store).await?.into_iter().collect(),
        false => verify.rooms.clone(),
    };
    let width = rooms.iter().map(|room| room.as_str().len()).max();
    let mut damaged = 0;
    let what = match verify.moderation {
        true => "moderation logs",
        false => "rooms",
    };
    for (index, room) in rooms.iter().enumerate() {
        let number = (index + 1, rooms.len());
        let report = Report::of(&store, room, verify.moderation, number).await?;
        damaged += usize::from(!report.is_whole());
        match verify.json {
            true => report.print_json()?,
            false => report.print(width.unwrap_or(0))?,
        }
    }
    match damaged {
        0 => Ok(()),
        1 => bail!("1 of {} {what} is damaged", rooms.len()),
        damaged => bail!("{damaged} of {} {what} are damaged", rooms.len()),
    }
}

/// What was found of one room.
struct Report<'r> {
    room: &'r RoomName,
    is_moderation: bool,
    checker: Checker,
    /// The first of them.
    findings: Vec<Finding>,
    found: usize,
}

impl<'r> Report<'r> {
    async fn of(
        store: &Store,
        room: &'r RoomName,
        is_moderation: bool,
        (number, of): (usize, usize),
    ) -> Result<Self> {
        let (checker, mut stretches) = match is_moderation {
            true => (
                Checker::of_moderation(),
                Stretches::of_moderation(store, room),
            ),
            false => (Checker::new(), Stretches::new(store, room)),
        };
        let mut report = Self {
            room,
            is_moderation,
            checker,
            findings: Vec::new(),
            found: 0,
        };
        let progress = std::io::stderr().is_terminal();
        while let Some(stretch) = stretches.next().await? {
            let findings = report.checker.check(&stretch);
            report.found += findings.len();
            let place = TOLD - report.findings.len();
            report.findings.extend(findings.into_iter().take(place));
            if progress && stretch.next.is_some() {
                let entries = report.checker.entries;
                eprint!("\r\u{1b}[Kroom {number} of {of}, #{room}: {entries} entries");
            }
        }
        if progress {
            eprint!("\r\u{1b}[K");
        }
        Ok(report)
    }

    const fn is_whole(&self) -> bool {
        self.found == 0
    }

    fn print(&self, width: usize) -> Result<()> {
        let Self { room, checker, .. } = self;
        let verdict = match self.is_whole() {
            true => format!("{GOOD}ok     {GOOD:#}"),
            false => format!("{BAD}DAMAGED{BAD:#}"),
        };
        let mut out = anstream::stdout().lock();
        let (entries, tombstones) = (checker.entries, checker.tombstones);
        let span = match (checker.first, checker.head()) {
            (Some(first), Some(head)) => format!(", {first} to {head}"),
            _ => String::new(),
        };
        writeln!(
            out,
            "{verdict}  #{:<width$}  {entries} entries, {tombstones} tombstones{span}",
            room.as_str()
        )?;
        for Finding { seq, fault } in &self.findings {
            let advice = fault.advice();
            let fault = plain(&fault.to_string());
            writeln!(
                out,
                "         at {seq}: {fault}\n         {DIM}{advice}{DIM:#}"
            )?;
        }
        if self.found > self.findings.len() {
            let more = self.found - self.findings.len();
            writeln!(out, "         and {more} more")?;
        }
        Ok(out.flush()?)
    }

    fn print_json(&self) -> Result<()> {
        let findings: Vec<_> = self
            .findings
            .iter()
            .map(|Finding { seq, fault }| {
                json!({
                    "seq": seq, "code": fault.code(), "what": fault.to_string(), "advice": fault.advice(),
                })
            })
            .collect();
        print_json(&json!({
            "room": self.room,
            "moderation": self.is_moderation,
            "ok": self.is_whole(),
            "entries": self.checker.entries,
            "tombstones": self.checker.tombstones,
            "first": self.checker.first,
            "head": self.checker.head(),
            "findings": findings,
            "findings_in_all": self.found,
        }))
    }
}
