//! Judges lines and says how well it went.

use std::collections::BTreeMap;
use std::fmt::Write;

use clustertalk_moderation_wasm::model::{Estimate, Head, Model, PerHead};
use clustertalk_moderation_wasm::normalise::normalise;
use clustertalk_moderation_wasm::rules;
use clustertalk_moderation_wasm::verdict::{Action, Label};

use crate::data::Line;
use crate::disguise::Disguise;
use crate::metrics::{self, Scored};
use crate::random::Random;
use crate::sources::{self, Truth};

pub struct Judged {
    pub line: Line,
    /// Of the model alone, calibrated.
    pub logits: PerHead<f32>,
    pub probabilities: PerHead<f32>,
    /// Of the model and the rules together, as they join in a verdict.
    pub scores: PerHead<f32>,
    pub action: Action,
}

pub fn judge(model: &Model, line: Line) -> Judged {
    let normalised = normalise(&line.text);
    let estimates = model.estimate(&line.text, &normalised);
    let mut scores = estimates.map(|estimate| estimate.score);
    let mut highest = scores.iter().copied().fold(0.0, f32::max);
    for finding in rules::findings(&normalised.tokens) {
        highest = highest.max(finding.score);
        if let Some(head) = head(finding.label) {
            let score = &mut scores[head as usize];
            *score = score.max(finding.score);
        }
    }
    Judged {
        line,
        logits: estimates.map(|Estimate { logit, .. }| logit),
        probabilities: estimates.map(|Estimate { probability, .. }| probability),
        scores,
        action: Action::for_score(highest),
    }
}

fn head(label: Label) -> Option<Head> {
    match label {
        Label::Spam | Label::Scam => Some(Head::Spam),
        Label::Toxicity => Some(Head::Toxic),
        Label::Hate => Some(Head::Hate),
        Label::Threat => Some(Head::Threat),
        Label::Sexual => Some(Head::Sexual),
        Label::SelfHarm => None,
    }
}

/// Lines of everyday chat that nobody complained about.
pub fn is_benign_chat(line: &Line) -> bool {
    line.labels == "clean" && ["irc-ubuntu", "goemotions", "sms-spam"].contains(&line.source.as_str())
}

fn is_abuse(line: &Line) -> bool {
    line.labels.split(',').any(|label| label == "toxic")
}

impl Judged {
    fn truth(&self, head: Head) -> Truth {
        sources::truth(sources::find(&self.line.source), &self.line.labels, head)
    }

    /// How abusive it is, by the head that finds most.
    fn abuse(&self) -> f32 {
        [Head::Toxic, Head::Hate, Head::Threat]
            .map(|head| self.scores[head as usize])
            .into_iter()
            .fold(0.0, f32::max)
    }
}

/// The measures by which the model is compared, one a line: `name value`.
pub fn report(judged: &[Judged]) -> String {
    let mut report = String::new();
    let benign: Vec<&Judged> = judged.iter().filter(|one| is_benign_chat(&one.line)).collect();
    let english: Vec<&Judged> = judged.iter().filter(|one| one.line.language == "en" && !one.line.source.starts_with("template")).collect();

    // Abuse.
    let scored = |lines: &[&Judged], score: &dyn Fn(&Judged) -> f32| -> Vec<Scored> {
        lines
            .iter()
            .filter(|one| one.truth(Head::Toxic) != Truth::Open)
            .map(|one| (score(one), is_abuse(&one.line)))
            .collect()
    };
    let row = |report: &mut String, name: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = writeln!(report, "{name:<58} {value:.3}");
        }
    };
    let toxic = |one: &Judged| one.logits[Head::Toxic as usize];
    let abuse = |one: &Judged| one.abuse();
    row(&mut report, "English abuse AUC, toxic head", metrics::auc(&scored(&english, &toxic)));
    row(&mut report, "English abuse AUC, with rules", metrics::auc(&scored(&english, &abuse)));
    row(&mut report, "English abuse F1, toxic head", Some(metrics::best_f1(&scored(&english, &toxic))));
    for (head, name) in [(Head::Toxic, "abuse"), (Head::Spam, "spam"), (Head::Sexual, "sexual"), (Head::Threat, "threat"), (Head::Hate, "hate")] {
        let score = |one: &Judged| match head {
            Head::Toxic => one.abuse(),
            _ => one.scores[head as usize],
        };
        let bare = |one: &Judged| one.logits[head as usize];
        let positive: Vec<&Judged> = judged.iter().filter(|one| one.truth(head) == Truth::Yes && (head != Head::Toxic || one.line.language == "en")).collect();
        if positive.is_empty() || benign.is_empty() {
            continue;
        }
        for (kind, score) in [("model", &bare as &dyn Fn(&Judged) -> f32), ("joined", &score)] {
            let chat: Vec<f32> = benign.iter().map(|one| score(one)).collect();
            let found: Vec<f32> = positive.iter().map(|one| score(one)).collect();
            let both: Vec<Scored> = chat.iter().map(|&s| (s, false)).chain(found.iter().map(|&s| (s, true))).collect();
            row(&mut report, &format!("{name} against chat ({kind}, {}): AUC", found.len()), metrics::auc(&both));
            row(&mut report, &format!("{name} ({kind}): recall at 1 % of chat"), Some(metrics::share(&found, metrics::threshold(&chat, 0.01))));
            let at = metrics::threshold(&found, 0.9);
            row(&mut report, &format!("{name} ({kind}): chat flagged at 90 % recall"), Some(metrics::share(&chat, at)));
        }
    }

    // By language and source.
    let mut groups: BTreeMap<String, Vec<&Judged>> = BTreeMap::new();
    for one in judged {
        groups.entry(format!("language {}", one.line.language)).or_default().push(one);
        groups.entry(format!("source {}", one.line.source)).or_default().push(one);
    }
    for (name, lines) in &groups {
        row(&mut report, &format!("{name} ({}): abuse AUC", lines.len()), metrics::auc(&scored(lines, &toxic)));
        let with = |label: &str| -> Vec<&&Judged> {
            lines.iter().filter(|one| one.line.labels.split(',').any(|l| if label == "clean" { l == "clean" } else { l != "clean" })).collect()
        };
        for label in ["clean", "any"] {
            let lines = with(label);
            let reached = |action| lines.iter().filter(|one| one.action >= action).count() as f64 / lines.len() as f64;
            if !lines.is_empty() {
                let _ = writeln!(report, "  {name}, {label} ({}): flagged {:.4}, masked {:.4}", lines.len(), reached(Action::Flag), reached(Action::Mask));
            }
        }
    }
    // Calibration.
    for head in Head::ALL {
        let scored: Vec<Scored> = judged.iter().filter(|one| one.truth(head) != Truth::Open).map(|one| (one.probabilities[head as usize], one.truth(head) == Truth::Yes)).collect();
        row(&mut report, &format!("{}: calibration error", head.name()), Some(metrics::calibration_error(&scored)));
        row(&mut report, &format!("{}: AUC over all that was labelled", head.name()), metrics::auc(&scored));
    }
    let reached = |action| benign.iter().filter(|one| one.action >= action).count() as f64 / benign.len().max(1) as f64;
    row(&mut report, "benign chat flagged (model and rules)", Some(reached(Action::Flag)));
    row(&mut report, "benign chat masked (model and rules)", Some(reached(Action::Mask)));
    report
}

/// What disguises cost: of abuse that is flagged as it is, the share that is flagged disguised.
pub fn disguised(model: &Model, judged: &[Judged]) -> String {
    let mut report = String::new();
    let mut random = Random::new(5);
    let abuse: Vec<&Judged> = judged.iter().filter(|one| is_abuse(&one.line) && one.line.language == "en" && one.action >= Action::Flag).take(1500).collect();
    for disguise in Disguise::ALL {
        let caught = abuse.iter().filter(|one| {
            let text = disguise.apply(&one.line.text, 100, &mut random);
            judge(model, Line { text, ..one.line.clone() }).action >= Action::Flag
        });
        let _ = writeln!(report, "disguised, {:<47} {:.3}", disguise.name(), caught.count() as f64 / abuse.len().max(1) as f64);
    }
    report
}
