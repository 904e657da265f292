//! Moderation and analytics: pure components in stores of their own.
//!
//! Neither can stop the chat nor see what it was not given. It imports nothing, has its own memory
//! and CPU time, and whatever happens to it becomes an answer: for moderation by the fail policy,
//! for analytics an error that costs the figures of one message.

mod explain;
mod pure;

pub use explain::{Explainer, Explanation, Feature, Thresholds};

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use self::pure::{Contract, Pure};
use crate::{
    application::{Dependency, FailPolicy, MODERATOR, RECORDER},
    sandbox::{
        CallError, ComponentMetrics, LoadError, Runtime,
        moderator::{Action, Message, Score, Verdict},
        recorder::{Event, Update},
    },
};

/// Bounds of a verdict; one beyond them counts as a failure.
const MAX_REPLACEMENT_BYTES: usize = 16 * 1024;
const MAX_SCORES: usize = 64;
const MAX_NAME_BYTES: usize = 256;
/// Bounds of the updates for one message; the hub's own are narrower.
const MAX_UPDATES: usize = 64;

/// The label of messages that nobody judged.
pub const UNREVIEWED: &str = "unreviewed";

/// What a verdict can be, in the order of [`Moderation::verdicts`].
pub const VERDICTS: [&str; 4] = ["allow", "flag", "mask", "block"];

/// Reviews messages: by one component, or by several that are asked one after the other.
pub struct Moderation {
    /// The last is the application's dependency, those before it the others of its chain.
    members: Vec<Member>,
    verdicts: [AtomicU64; VERDICTS.len()],
}

/// One moderator, with its own store, memory, time and fail policy.
struct Member {
    component: Pure<Message, Verdict>,
    fail: FailPolicy,
}

impl Moderation {
    /// Loads and checks the components.
    ///
    /// # Errors
    /// One cannot be run here, or imports something.
    pub async fn load(runtime: Arc<Runtime>, dependency: &Dependency) -> Result<Self, LoadError> {
        let mut members = Vec::new();
        for before in &dependency.before {
            let file = before.path.file_stem().unwrap_or_default();
            let name = format!("moderation-{}", file.to_string_lossy());
            members.push(Member::load(name, Arc::clone(&runtime), before).await?);
        }
        members.push(Member::load("moderation".to_owned(), runtime, dependency).await?);
        Ok(Self {
            members,
            verdicts: Default::default(),
        })
    }

    /// Judges a message. The first that masks or blocks decides, and those behind it are not asked;
    /// else the first that flags; else the last one, which allows. What a component fails to judge is
    /// judged by its fail policy. The verdict carries the digest of the build that decided.
    ///
    /// # Errors
    /// Only with the fail policy `hold`: the message has to wait.
    pub async fn review(&self, message: Message) -> Result<Verdict, String> {
        let mut decided: Option<Verdict> = None;
        for member in &self.members {
            let verdict = member.review(message.clone()).await?;
            let is_final = matches!(verdict.action, Action::Mask | Action::Block);
            let is_flagged = decided
                .as_ref()
                .is_some_and(|before| before.action == Action::Flag);
            if is_final || !is_flagged {
                decided = Some(verdict);
            }
            if is_final {
                break;
            }
        }
        let verdict = decided.ok_or("nobody moderates")?;
        let at = match verdict.action {
            Action::Allow => 0,
            Action::Flag => 1,
            Action::Mask => 2,
            Action::Block => 3,
        };
        self.verdicts[at].fetch_add(1, Ordering::Relaxed);
        Ok(verdict)
    }

    /// Switches to the files' present content where one was replaced and can be run. Blocks.
    pub fn refresh(&self) {
        for member in &self.members {
            member.component.refresh();
        }
    }

    /// The counters of each component; those of the application's dependency are the last.
    pub fn snapshot(&self) -> Vec<ComponentMetrics> {
        let members = self.members.iter();
        members.map(|member| member.component.snapshot()).collect()
    }

    /// How many messages got each of [`VERDICTS`], by the component or by the fail policy.
    pub fn verdicts(&self) -> [u64; VERDICTS.len()] {
        std::array::from_fn(|at| self.verdicts[at].load(Ordering::Relaxed))
    }
}

impl Member {
    async fn load(
        name: String,
        runtime: Arc<Runtime>,
        dependency: &Dependency,
    ) -> Result<Self, LoadError> {
        let contract = Contract {
            interface: MODERATOR,
            function: "review",
        };
        Ok(Self {
            component: Pure::load(name, contract, runtime, dependency).await?,
            fail: dependency.fail,
        })
    }

    async fn review(&self, message: Message) -> Result<Verdict, String> {
        let (result, digest) = self.component.call(message, check_verdict).await;
        let verdict = match result {
            Ok(verdict) => verdict,
            Err(error) => {
                let component = self.component.name();
                tracing::warn!(component, %digest, %error, "message not reviewed");
                self.fail(&error)?
            }
        };
        Ok(Verdict {
            policy: Some(digest.to_string()),
            ..verdict
        })
    }

    fn fail(&self, error: &CallError) -> Result<Verdict, String> {
        let action = match self.fail {
            FailPolicy::Open => Action::Flag,
            FailPolicy::Closed => Action::Block,
            FailPolicy::Hold => return Err(format!("{} {error}", self.component.name())),
        };
        Ok(Verdict {
            action,
            replacement: None,
            scores: vec![Score {
                label: UNREVIEWED.to_owned(),
                value: 1.0,
            }],
            rule: None,
            model: None,
            policy: None,
        })
    }
}

/// Counts messages.
pub struct Analytics {
    component: Pure<Event, Vec<Update>>,
}

impl Analytics {
    /// Loads and checks the component.
    ///
    /// # Errors
    /// It cannot be run here, or imports something.
    pub async fn load(runtime: Arc<Runtime>, dependency: &Dependency) -> Result<Self, LoadError> {
        let contract = Contract {
            interface: RECORDER,
            function: "record",
        };
        Ok(Self {
            component: Pure::load("analytics".to_owned(), contract, runtime, dependency).await?,
        })
    }

    /// The updates for one message.
    ///
    /// # Errors
    /// The component failed; the message is not counted.
    pub async fn record(&self, event: Event) -> Result<Vec<Update>, String> {
        let (result, digest) = self.component.call(event, check_updates).await;
        result.map_err(|error| {
            tracing::warn!(component = "analytics", %digest, %error, "message not counted");
            format!("analytics {error}")
        })
    }

    /// Switches to the file's present content if it was replaced and can be run. Blocks.
    pub fn refresh(&self) {
        self.component.refresh();
    }

    /// Its counters.
    pub fn snapshot(&self) -> ComponentMetrics {
        self.component.snapshot()
    }
}

/// A verdict is handed on into the hub's memory, so its size is not the component's to choose.
fn check_verdict(mut verdict: Verdict) -> Result<Verdict, CallError> {
    let name_fits = |name: &Option<String>| {
        name.as_ref()
            .is_none_or(|name| name.len() <= MAX_NAME_BYTES)
    };
    let fits = verdict.scores.len() <= MAX_SCORES
        && verdict
            .scores
            .iter()
            .all(|score| score.label.len() <= MAX_NAME_BYTES)
        && verdict
            .replacement
            .as_ref()
            .is_none_or(|text| text.len() <= MAX_REPLACEMENT_BYTES)
        && name_fits(&verdict.rule)
        && name_fits(&verdict.model);
    if !fits {
        return Err(CallError::Refused("its verdict is too large".to_owned()));
    }
    for score in &mut verdict.scores {
        score.value = match score.value.is_nan() {
            true => 0.0,
            false => score.value.clamp(0.0, 1.0),
        };
    }
    Ok(verdict)
}

fn check_updates(updates: Vec<Update>) -> Result<Vec<Update>, CallError> {
    let fits = updates.len() <= MAX_UPDATES
        && updates.iter().all(|update| match update {
            Update::Add(counter) | Update::Top(counter) => counter.field.len() <= MAX_NAME_BYTES,
            Update::Unique(value) => value.len() <= MAX_NAME_BYTES,
            Update::Minute(_) => true,
        });
    match fits {
        true => Ok(updates),
        false => Err(CallError::Refused("its updates are too large".to_owned())),
    }
}

#[cfg(test)]
mod tests;
