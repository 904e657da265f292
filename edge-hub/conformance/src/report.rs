//! What was found, for people and for programs.

pub mod junit;

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    time::Duration,
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    context::Limits,
    coverage::{self, Provoked},
    latency::Row,
    runner::{Finished, Verdict},
    skips::Platform,
};

pub struct Report {
    pub url: String,
    pub second: Option<String>,
    pub platform: Platform,
    pub limits: Limits,
    pub time: Duration,
    pub finished: Vec<Finished>,
    pub latency: Vec<Row>,
}

#[derive(Default, Serialize)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub not_run: usize,
}

impl Report {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for finished in &self.finished {
            let count = match finished.verdict {
                Verdict::Passed => &mut counts.passed,
                Verdict::Failed(_) | Verdict::Stale { .. } => &mut counts.failed,
                Verdict::Skipped { .. } => &mut counts.skipped,
                Verdict::NotRun(_) => &mut counts.not_run,
            };
            *count += 1;
        }
        counts
    }

    /// The codes that came, of those that can be provoked, and those of them that did not.
    fn codes(&self) -> (usize, Vec<String>) {
        let seen: BTreeSet<&String> = self.finished.iter().flat_map(|one| &one.codes).collect();
        let provoked = coverage::all().filter(|(_, by)| matches!(by, Provoked::By(_)));
        let (came, missing): (Vec<_>, Vec<_>) = provoked
            .map(|(code, _)| code)
            .partition(|code| seen.contains(code));
        (came.len(), missing)
    }

    pub fn json(&self) -> Value {
        let cases: Vec<Value> = self
            .finished
            .iter()
            .map(|one| {
                let (verdict, why) = told(&one.verdict);
                json!({
                    "case": one.name, "verdict": verdict, "why": why,
                    "section": one.case.section, "sentence": one.case.sentence,
                    "ms": one.time.as_millis(), "codes": one.codes,
                    "transcript": one.verdict.is_failure().then(|| one.transcript.clone()),
                })
            })
            .collect();
        let (_, missing) = self.codes();
        json!({
            "url": self.url, "second": self.second, "platform": self.platform, "protocol": 1,
            "limits": self.limits, "counts": self.counts(), "seconds": self.time.as_secs_f64(),
            "cases": cases, "codes_not_provoked": missing, "latency": self.latency,
        })
    }
}

/// A word for a verdict, and its reason.
fn told(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Passed => ("pass", String::new()),
        Verdict::Failed(found) => ("FAIL", found.clone()),
        Verdict::Skipped { reason, found } => ("skip", format!("{reason} (found: {found})")),
        Verdict::Stale { reason } => (
            "FAIL",
            format!("it passes, so take it out of the list of skips, which says: {reason}"),
        ),
        Verdict::NotRun(need) => ("-", need.to_string()),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = "";
        for one in &self.finished {
            let (of, name) = one.name.split_once('/').unwrap_or_default();
            if of != group {
                writeln!(out, "\n{of}")?;
                group = of;
            }
            let (word, why) = told(&one.verdict);
            match one.verdict {
                Verdict::Passed | Verdict::Failed(_) => {
                    writeln!(
                        out,
                        "  {word:<4}  {name:<52} {:>7} ms",
                        one.time.as_millis()
                    )?;
                }
                _ => writeln!(out, "  {word:<4}  {name:<52} {why}")?,
            }
        }
        for one in self.finished.iter().filter(|one| one.verdict.is_failure()) {
            writeln!(out, "\n{}", failure(one))?;
        }
        let (came, missing) = self.codes();
        write!(out, "\nCodes of the protocol that came: {came}")?;
        match missing.len() {
            0 => writeln!(out, ", all that can be provoked from outside")?,
            _ => writeln!(out, "; these did not: {}", missing.join(", "))?,
        }
        if !self.latency.is_empty() {
            writeln!(
                out,
                "\n{:<40} {:>8} {:>9} {:>9} {:>9}",
                "Latency in ms", "samples", "p50", "p90", "p99"
            )?;
        }
        for row in &self.latency {
            writeln!(
                out,
                "{:<40} {:>8} {:>9.2} {:>9.2} {:>9.2}",
                row.what, row.samples, row.p50_ms, row.p90_ms, row.p99_ms
            )?;
        }
        let Counts {
            passed,
            failed,
            skipped,
            not_run,
        } = self.counts();
        writeln!(
            out,
            "\n{} ({:?}): {passed} passed, {failed} failed, {skipped} skipped, {not_run} not run, in {:.1} s",
            self.url,
            self.platform,
            self.time.as_secs_f64()
        )
    }
}

/// A failure in full: what was expected, what was found, and what was said.
fn failure(one: &Finished) -> String {
    let (_, found) = told(&one.verdict);
    let mut text = format!(
        "FAIL {}\n  expected by PROTOCOL.md, \"{}\": {}\n  found: {found}",
        one.name, one.case.section, one.case.sentence
    );
    if matches!(one.verdict, Verdict::Failed(_)) {
        text.push_str("\n  said:");
        for line in one.transcript.lines() {
            let _ = write!(text, "\n  {line}");
        }
    }
    text
}
