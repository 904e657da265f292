//! What is kept of a verdict, the same for whatever is reviewed.

use crate::event::{MASKED, Verdict};
use crate::log::{Action, Moderation};

/// What is stored of a component's own words: no more than this.
const LABEL_BYTES: usize = 32;
const POLICY_BYTES: usize = 128;

pub struct Decision {
    /// What is stored and shown.
    pub moderation: Moderation,
    /// For the figures.
    pub label: Option<String>,
}

/// Applies a verdict to the text that it is about; a replacement has at most `most` bytes.
pub fn apply(verdict: Verdict, text: &mut String, most: usize) -> Decision {
    let action = verdict.action;
    if action == Action::Mask {
        *text = verdict
            .replacement
            .filter(|text| !text.trim().is_empty() && text.len() <= most)
            .unwrap_or_else(|| MASKED.to_owned());
    }
    let label = verdict
        .label
        .filter(|label| action != Action::Allow && label.len() <= LABEL_BYTES);
    Decision {
        moderation: Moderation {
            action,
            // A flagged message is delivered like any other; its label is the moderators' business.
            label: label.clone().filter(|_| action != Action::Flag),
            policy: verdict.policy.filter(|policy| policy.len() <= POLICY_BYTES),
        },
        label,
    }
}
