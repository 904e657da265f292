//! Decides what happens to a message before anyone sees it: normalise → rules and model → verdict.
//!
//! This file only translates between the contract (`components/wit/moderation`) and [`policy`],
//! where a text's way is to be read.

pub mod explain;
pub mod features;
mod hash;
pub mod model;
pub mod normalise;
pub mod policy;
pub mod rules;
pub mod verdict;

mod bindings {
    wit_bindgen::generate!({ path: "../components/wit/moderation", world: "explained-moderation" });
}

use bindings::exports::clustertalk::moderation::explainer::{self, Guest as Explainer};
use bindings::exports::clustertalk::moderation::moderator::{self as wit, Guest};
use explain::Explanation;
use policy::{InRoom, Policy};
use verdict::{Action, Verdict};

/// Judges one text without a policy. Pure and bounded: time is linear in the text.
pub fn judge(text: &str) -> Verdict {
    Policy::empty().in_room("").judge(text)
}

/// The exported component.
pub struct Moderator;

impl Guest for Moderator {
    fn review(message: wit::Message) -> Result<wit::Verdict, String> {
        let policy = Policy::of_component()?.in_room(&message.room);
        Ok(to_wit(policy.judge(&message.text), &policy))
    }
}

impl Explainer for Moderator {
    fn explain(message: wit::Message) -> Result<explainer::Explanation, String> {
        let policy = Policy::of_component()?.in_room(&message.room);
        let explanation = explain::explain(&policy, &message.text);
        Ok(explanation_to_wit(explanation, &policy))
    }
}

fn explanation_to_wit(explanation: Explanation, policy: &InRoom<'_>) -> explainer::Explanation {
    let findings = explanation.findings.into_iter();
    let features = explanation.features.into_iter();
    let thresholds = explanation.thresholds.into_iter();
    explainer::Explanation {
        verdict: to_wit(explanation.verdict, policy),
        policy: explanation.policy.to_owned(),
        normalised: explanation.normalised,
        findings: findings
            .map(|(finding, action)| explainer::Finding {
                label: finding.label.name().to_owned(),
                score: finding.score,
                rule: finding.rule.map(str::to_owned),
                action: action_to_wit(action),
            })
            .collect(),
        features: features
            .map(|feature| explainer::Feature {
                label: feature.label.name().to_owned(),
                what: feature.what,
                weight: feature.weight,
            })
            .collect(),
        thresholds: thresholds
            .map(|(label, thresholds)| explainer::Thresholds {
                label: label.name().to_owned(),
                flag: thresholds.flag,
                mask: thresholds.mask,
                block: thresholds.block,
            })
            .collect(),
    }
}

fn action_to_wit(action: Action) -> wit::Action {
    match action {
        Action::Allow => wit::Action::Allow,
        Action::Flag => wit::Action::Flag,
        Action::Mask => wit::Action::Mask,
        Action::Block => wit::Action::Block,
    }
}

fn to_wit(verdict: Verdict, policy: &InRoom<'_>) -> wit::Verdict {
    let replacement = verdict.replacement.or_else(|| policy.replacement());
    wit::Verdict {
        action: action_to_wit(verdict.action),
        replacement: replacement
            .filter(|_| verdict.action == Action::Mask)
            .map(str::to_owned),
        scores: verdict
            .scores
            .into_iter()
            .map(|(label, value)| wit::Score {
                label: label.name().to_owned(),
                value,
            })
            .collect(),
        rule: verdict.rule.map(str::to_owned),
        model: verdict.by_model.then(|| model::NAME.to_owned()),
        policy: None,
    }
}

// Only the component exports: a native linker refuses the contract's symbol names, and a
// platform that links this crate (Fastly) must not export them.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
bindings::export!(Moderator with_types_in bindings);
