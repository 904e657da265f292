//! Decides what happens to a message before anyone sees it: normalise → rules and model → verdict.
//!
//! This file only translates between the contract (`components/wit/moderation`) and [`judge`].

pub mod features;
mod hash;
pub mod model;
pub mod normalise;
pub mod rules;
pub mod verdict;

mod bindings {
    wit_bindgen::generate!({ path: "../components/wit/moderation", world: "moderation" });
}

use bindings::exports::clustertalk::moderation::moderator::{self as wit, Guest};
use verdict::{Action, Verdict};

/// A longer text is judged in parts of this many bytes, so that memory is bounded whatever its
/// length.
const PART: usize = 16 * 1024;
/// Bytes that two parts share, so that no phrase falls between them.
const SHARED: usize = 512;

/// Judges one text. Pure and bounded: time is linear in the text.
pub fn judge(text: &str) -> Verdict {
    let model = model::Model::built_in();
    verdict::decide(parts(text).flat_map(|part| {
        let normalised = normalise::normalise(part);
        let by_rules = rules::findings(&normalised.tokens);
        let by_model = model.findings(part, &normalised, &by_rules);
        // Rules first: of equals the first decides, and a rule explains itself.
        by_rules.into_iter().chain(by_model)
    }))
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= PART {
            return rest.take();
        }
        let end = text.floor_char_boundary(PART);
        rest = Some(&text[text.floor_char_boundary(end - SHARED)..]);
        Some(&text[..end])
    })
}

/// The exported component.
pub struct Moderator;

impl Guest for Moderator {
    fn review(message: wit::Message) -> Result<wit::Verdict, String> {
        Ok(to_wit(judge(&message.text)))
    }
}

fn to_wit(verdict: Verdict) -> wit::Verdict {
    wit::Verdict {
        action: match verdict.action {
            Action::Allow => wit::Action::Allow,
            Action::Flag => wit::Action::Flag,
            Action::Mask => wit::Action::Mask,
            Action::Block => wit::Action::Block,
        },
        replacement: None,
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
