//! Runs `tests/cases/*.toml`: what each rule must find, and what no rule may find.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clustertalk_moderation_wasm::judge;
use clustertalk_moderation_wasm::normalise::normalise;
use clustertalk_moderation_wasm::rules;
use clustertalk_moderation_wasm::verdict::{self, Action, Thresholds, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// Texts that the rule decides.
    hit: Vec<Hit>,
    /// Texts that are allowed.
    near_miss: Vec<NearMiss>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hit {
    rule: String,
    action: String,
    texts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NearMiss {
    texts: Vec<String>,
    /// Those that the model flags all the same. They are delivered, and a moderator sees them.
    #[serde(default)]
    flagged_by_model: Vec<String>,
}

fn files() -> Vec<(String, Cases)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<(String, Cases)> = fs::read_dir(folder)
        .expect("tests/cases")
        .map(|entry| {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("name").display().to_string();
            let text = fs::read_to_string(&path).expect("readable");
            let cases = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, cases)
        })
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

fn by_rules(text: &str) -> Verdict {
    verdict::decide(rules::findings(&normalise(text).tokens), |_| {
        Thresholds::DEFAULT
    })
}

#[test]
fn every_hit_is_found_by_its_rule() {
    let mut wrong = Vec::new();
    for (file, cases) in files() {
        for hit in cases.hit {
            for text in hit.texts {
                let verdict = by_rules(&text);
                let action = Action::from_name(&hit.action).expect("an action");
                if verdict.rule != Some(hit.rule.as_str()) || verdict.action != action {
                    wrong.push(format!("{file}: {text:?}: {verdict:?}, not {}", hit.rule));
                }
                // The model may find more, never less.
                let joined = judge(&text);
                if joined.action < action {
                    wrong.push(format!("{file}: {text:?}: {joined:?}, not {}", hit.action));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_near_miss_is_allowed() {
    let mut wrong = Vec::new();
    for (file, cases) in files() {
        for case in cases.near_miss {
            let expected = [
                (case.texts, Action::Allow),
                (case.flagged_by_model, Action::Flag),
            ];
            for (texts, action) in expected {
                for text in texts {
                    let by_rules = by_rules(&text);
                    let verdict = judge(&text);
                    if by_rules.action != Action::Allow || verdict.action != action {
                        wrong.push(format!("{file}: {text:?}: {verdict:?}, not {action:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_hit_and_every_hit_names_a_rule() {
    let files = files();
    let hits = files.iter().flat_map(|(_, cases)| &cases.hit);
    let tested: BTreeSet<&str> = hits.map(|hit| hit.rule.as_str()).collect();
    let rules: BTreeSet<&str> = rules::names().collect();
    assert_eq!(tested, rules);
}
