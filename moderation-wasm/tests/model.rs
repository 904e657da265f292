//! Runs `tests/model.toml`: what the model must find where no rule does, and what it must leave alone.

use clustertalk_moderation_wasm::judge;
use clustertalk_moderation_wasm::normalise::normalise;
use clustertalk_moderation_wasm::rules;
use clustertalk_moderation_wasm::verdict::{Action, Label};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    found: Vec<Found>,
    /// Texts that are allowed.
    allowed: Vec<String>,
}

/// Texts that no rule finds, for which the model finds this label highest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    label: String,
    texts: Vec<String>,
}

fn cases() -> Cases {
    toml::from_str(include_str!("model.toml")).expect("tests/model.toml")
}

#[test]
fn the_model_finds_what_no_rule_says() {
    let mut wrong = Vec::new();
    for Found { label, texts } in cases().found {
        let label = Label::from_name(&label).expect("a label");
        for text in texts {
            assert!(
                rules::findings(&normalise(&text).tokens).is_empty(),
                "a rule finds {text:?}"
            );
            let verdict = judge(&text);
            if !verdict.by_model || verdict.scores.first().is_none_or(|first| first.0 != label) {
                wrong.push(format!("{text:?}: {verdict:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everyday_talk_is_allowed() {
    let judged = cases().allowed.into_iter().map(|text| (judge(&text), text));
    let wrong: Vec<_> = judged
        .filter(|(verdict, _)| verdict.action != Action::Allow)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_label_of_the_model_has_a_score() {
    let verdict = judge("good morning");
    assert_eq!(
        (verdict.action, verdict.rule, verdict.by_model),
        (Action::Allow, None, false)
    );
    let labels = [
        Label::Toxic,
        Label::Hate,
        Label::Spam,
        Label::Sexual,
        Label::Threat,
    ];
    for label in labels {
        assert!(
            verdict.scores.iter().any(|score| score.0 == label),
            "{label:?}"
        );
    }
}
