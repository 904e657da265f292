//! `[component.ID.tool.clustertalk]`: memory, time and fail policy. Spin ignores this table.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::{Dependency, MODERATOR, manifest::RawDependency};
use crate::toml_file::{FileError, Locator, did_you_mean};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// The most that one instance may be given: what the pool keeps address space for.
pub const MAX_MEMORY_BYTES: u64 = 256 * MIB;
const MAX_DEADLINE_MS: u64 = 10_000;
const MAX_REUSE: u32 = 1_000_000;
/// Moderators before the last one: each may take its time.
const MAX_BEFORE: usize = 7;

/// What one instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// All its linear memories together.
    pub memory_bytes: usize,
    /// CPU time of its own a call; time spent in imports does not count.
    pub deadline: Duration,
}

/// What becomes of a call that a pure component failed to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailPolicy {
    /// The message is delivered and flagged as unreviewed.
    #[default]
    Open,
    /// The message is refused.
    Closed,
    /// The message stays with the sender until the component works again.
    Hold,
}

/// Caps of a component with a trigger.
const COMPONENT: Caps = Caps {
    memory_bytes: (16 * MIB) as usize,
    deadline: Duration::from_millis(50),
};

/// Caps of a dependency.
const DEPENDENCY: Caps = Caps {
    memory_bytes: (32 * MIB) as usize,
    deadline: Duration::from_millis(5),
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    memory_bytes: Option<Spanned<u64>>,
    deadline_ms: Option<Spanned<u64>>,
    #[serde(default)]
    dependencies: BTreeMap<Spanned<String>, RawDependencyLimits>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDependencyLimits {
    memory_bytes: Option<Spanned<u64>>,
    deadline_ms: Option<Spanned<u64>>,
    fail: Option<Spanned<FailPolicy>>,
    reuse: Option<Spanned<u32>>,
    /// Of a moderator that is asked before another one.
    path: Option<Spanned<String>>,
    #[serde(default)]
    before: Vec<Spanned<RawDependencyLimits>>,
}

impl RawLimits {
    pub fn dependency(&self, import: &str) -> Option<&RawDependencyLimits> {
        self.dependencies
            .iter()
            .find_map(|(name, limits)| (name.get_ref() == import).then_some(limits))
    }

    /// Limits for something that is not there are a misspelt name.
    pub fn refuse_settings_without_dependency(
        &self,
        locator: &Locator,
        dependencies: &BTreeMap<Spanned<String>, Spanned<RawDependency>>,
    ) -> Result<(), FileError> {
        let names = || dependencies.keys().map(|name| name.get_ref().as_str());
        match self
            .dependencies
            .keys()
            .find(|name| !names().any(|known| known == name.get_ref()))
        {
            None => Ok(()),
            Some(name) => Err(locator.refuse(
                name.span(),
                format!("`{}` is not a dependency of this component", name.get_ref()),
                did_you_mean(name.get_ref(), names()),
            )),
        }
    }
}

impl Caps {
    pub(super) fn check_component(
        locator: &Locator,
        raw: Option<&RawLimits>,
    ) -> Result<Self, FileError> {
        match raw {
            None => Ok(COMPONENT),
            Some(raw) => Self::check(locator, COMPONENT, &raw.memory_bytes, &raw.deadline_ms),
        }
    }

    fn check(
        locator: &Locator,
        default: Self,
        memory_bytes: &Option<Spanned<u64>>,
        deadline_ms: &Option<Spanned<u64>>,
    ) -> Result<Self, FileError> {
        let mut caps = default;
        if let Some(bytes) = memory_bytes {
            if !(64 * KIB..=MAX_MEMORY_BYTES).contains(bytes.get_ref()) {
                return Err(locator.refuse(
                    bytes.span(),
                    format!("{} bytes of memory cannot be given", bytes.get_ref()),
                    format!("write a number from {} to {MAX_MEMORY_BYTES}", 64 * KIB),
                ));
            }
            caps.memory_bytes = *bytes.get_ref() as usize;
        }
        if let Some(milliseconds) = deadline_ms {
            if !(1..=MAX_DEADLINE_MS).contains(milliseconds.get_ref()) {
                return Err(locator.refuse(
                    milliseconds.span(),
                    format!("a deadline of {} ms cannot be kept", milliseconds.get_ref()),
                    format!("write a number from 1 to {MAX_DEADLINE_MS}"),
                ));
            }
            caps.deadline = Duration::from_millis(*milliseconds.get_ref());
        }
        Ok(caps)
    }
}

pub(super) fn check_dependency(
    locator: &Locator,
    import: &str,
    raw: Option<&RawDependencyLimits>,
    path: PathBuf,
) -> Result<Dependency, FileError> {
    let Some(raw) = raw else {
        return Ok(Dependency {
            path,
            caps: DEPENDENCY,
            fail: FailPolicy::default(),
            reuse: 0,
            before: Vec::new(),
        });
    };
    let reuse = match &raw.reuse {
        None => 0,
        Some(calls) if *calls.get_ref() <= MAX_REUSE => *calls.get_ref(),
        Some(calls) => {
            return Err(locator.refuse(
                calls.span(),
                format!("an instance is not kept for {} calls", calls.get_ref()),
                format!("write a number from 0 (always fresh) to {MAX_REUSE}"),
            ));
        }
    };
    if let Some(fail) = &raw.fail
        && import != MODERATOR
    {
        return Err(locator.refuse(
            fail.span(),
            "only moderation has a fail policy",
            "remove it: what analytics fails to count costs the figures of that message only",
        ));
    }
    Ok(Dependency {
        path,
        caps: Caps::check(locator, DEPENDENCY, &raw.memory_bytes, &raw.deadline_ms)?,
        fail: raw
            .fail
            .as_ref()
            .map(|fail| *fail.get_ref())
            .unwrap_or_default(),
        reuse,
        before: Vec::new(),
    })
}

/// The moderators that are asked before another one, each with its file.
pub(super) fn check_chain<'r>(
    locator: &Locator,
    import: &str,
    raw: Option<&'r RawDependencyLimits>,
) -> Result<Vec<(&'r Spanned<String>, &'r RawDependencyLimits)>, FileError> {
    let Some(raw) = raw else {
        return Ok(Vec::new());
    };
    if let Some(path) = &raw.path {
        return Err(locator.refuse(
            path.span(),
            "the file of a dependency does not stand here",
            "write it under `[component.ID.dependencies]`",
        ));
    }
    if let Some(first) = raw.before.first()
        && (import != MODERATOR || raw.before.len() > MAX_BEFORE)
    {
        return Err(locator.refuse(
            first.span(),
            format!("at most {MAX_BEFORE} moderators can be asked before another one"),
            "remove what is too much; only moderation has a chain",
        ));
    }
    raw.before
        .iter()
        .map(|member| match &member.get_ref().path {
            Some(path) if member.get_ref().before.is_empty() => Ok((path, member.get_ref())),
            Some(path) => Err(locator.refuse(
                path.span(),
                "a member of a chain has no chain of its own",
                "write all of them into one list, in the order in which they are asked",
            )),
            None => Err(locator.refuse(
                member.span(),
                "a member of a chain needs a file",
                "write `path = \"moderator.wasm\"`",
            )),
        })
        .collect()
}
