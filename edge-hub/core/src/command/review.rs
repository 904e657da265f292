//! What is kept of a verdict, the same for whatever is reviewed.

use crate::event::{MASKED, Verdict};
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::log::moderation::{self, Record, Score, name_of, scores_of};
use crate::log::{Action, Draft, Moderation, Original};
use crate::quarantine::Owner;

/// What is stored of a component's own words: no more than this.
const LABEL_BYTES: usize = 32;
const POLICY_BYTES: usize = 128;

#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What is stored and shown.
    pub moderation: Moderation,
    /// For the figures.
    pub label: Option<String>,
    /// For the moderation log.
    scores: Vec<Score>,
    rule: Option<String>,
    model: Option<String>,
    /// What was said, of what is masked.
    original: Option<String>,
}

impl Decision {
    /// What the moderation log gets with the draft of what was reviewed, and the quarantine.
    pub fn accompany(self, hub: &Hub<'_>, room: &RoomName, draft: &mut Draft) {
        let action = self.moderation.action;
        draft.label = self.label.clone();
        if action == Action::Allow {
            return;
        }
        let decision = moderation::Decision {
            user: draft.user.clone(),
            id: draft.id.clone(),
            of: draft.kind.to_owned(),
            action,
            label: self.label,
            scores: self.scores,
            rule: self.rule,
            model: self.model,
            policy: self.moderation.policy,
        };
        draft.record = Some(Record::Decision(Box::new(decision)).rest(hub.seed));
        if let Some(quarantine) = &hub.settings.quarantine
            && let Some(text) = self.original.filter(|_| action == Action::Mask)
        {
            let owner = Owner {
                room,
                user: &draft.user,
                id: &draft.id,
            };
            let sealed = quarantine.seal(hub.seed, owner, &text);
            draft.original = sealed.map(|sealed| Original {
                sealed,
                keep: quarantine.keep,
            });
        }
    }
}

/// Applies a verdict to the text that it is about; a replacement has at most `most` bytes.
pub fn apply(verdict: Verdict, text: &mut String, most: usize) -> Decision {
    let action = verdict.action;
    let original = (action == Action::Mask).then(|| {
        let replacement = verdict
            .replacement
            .filter(|text| !text.trim().is_empty() && text.len() <= most)
            .unwrap_or_else(|| MASKED.to_owned());
        std::mem::replace(text, replacement)
    });
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
        scores: scores_of(verdict.scores),
        rule: name_of(verdict.rule),
        model: name_of(verdict.model),
        original,
    }
}
