//! Runs cases side by side, within bounds.

use std::{
    collections::BTreeSet,
    io::{IsTerminal as _, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use crate::{
    case::{Case, Need},
    context::{Context, Target},
    skips::Skips,
};

/// A case may take as long as so many answers.
const PATIENCES: u32 = 12;
/// One that is skipped is only tried, to see whether it passes by now.
const SKIPPED: Duration = Duration::from_secs(10);

/// What became of a case.
pub struct Finished {
    pub name: String,
    pub case: &'static Case,
    pub time: Duration,
    pub verdict: Verdict,
    /// What was said, for a case that failed.
    pub transcript: String,
    /// Error codes and close codes that came.
    pub codes: BTreeSet<String>,
}

pub enum Verdict {
    Passed,
    /// With what was found.
    Failed(String),
    /// It failed, as a skip says it does.
    Skipped {
        reason: String,
        found: String,
    },
    /// It passed, and a skip says that it does not.
    Stale {
        reason: String,
    },
    NotRun(Need),
}

impl Verdict {
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Stale { .. })
    }
}

/// Runs the cases, so many at once; gives them in their order.
pub async fn run(
    target: &Arc<Target>,
    cases: Vec<(String, &'static Case)>,
    skips: &Skips,
    parallel: usize,
) -> Vec<Finished> {
    let places = Arc::new(Semaphore::new(parallel));
    let count = cases.len();
    let mut running = JoinSet::new();
    for (index, (name, case)) in cases.into_iter().enumerate() {
        let (target, places) = (Arc::clone(target), Arc::clone(&places));
        let skip = skips.get(&name).cloned();
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            (index, one(&target, name, case, skip).await)
        });
    }
    let mut finished = Vec::with_capacity(count);
    while let Some(done) = running.join_next().await {
        // A case that panics is caught in `one`.
        if let Ok(done) = done {
            finished.push(done);
            tell_progress(finished.len(), count);
        }
    }
    finished.sort_by_key(|(index, _)| *index);
    finished.into_iter().map(|(_, finished)| finished).collect()
}

/// On a terminal only: elsewhere the report is all there is.
fn tell_progress(done: usize, count: usize) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let end = if done == count { "\r\x1b[K" } else { "" };
        let _ = write!(out, "\r{done} of {count} cases{end}");
        let _ = out.flush();
    }
}

async fn one(
    target: &Arc<Target>,
    name: String,
    case: &'static Case,
    skip: Option<String>,
) -> Finished {
    let unmet = case.needs.iter().find(|need| !need.is_met(target));
    if let Some(need) = unmet {
        return Finished {
            name,
            case,
            time: Duration::ZERO,
            verdict: Verdict::NotRun(*need),
            transcript: String::new(),
            codes: BTreeSet::new(),
        };
    }
    let context = Context::new(target);
    let began = Instant::now();
    let most = match skip {
        None => target.patience * PATIENCES,
        Some(_) => SKIPPED,
    };
    let case_runs = tokio::spawn((case.run)(context.clone()));
    let abort = case_runs.abort_handle();
    let outcome = match timeout(most, case_runs).await {
        Ok(Ok(outcome)) => outcome.map_err(|error| format!("{error:#}")),
        Ok(Err(error)) => Err(format!("the case itself broke: {error}")),
        Err(_) => {
            abort.abort();
            Err(format!("not done after {} s", most.as_secs()))
        }
    };
    let time = began.elapsed();
    let transcript = context.transcript.text();
    context.clean_up().await;
    let verdict = match (outcome, skip) {
        (Ok(()), None) => Verdict::Passed,
        (Ok(()), Some(reason)) => Verdict::Stale { reason },
        (Err(found), None) => Verdict::Failed(found),
        (Err(found), Some(reason)) => Verdict::Skipped { reason, found },
    };
    Finished {
        name,
        case,
        time,
        transcript,
        codes: context.transcript.codes(),
        verdict,
    }
}
