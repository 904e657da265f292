//! Judges lines whose labels are known, and measures how well.

use clustertalk_moderation_wasm::model::{Head, Model, PerHead};
use clustertalk_moderation_wasm::normalise::normalise;
use clustertalk_moderation_wasm::rules;
use clustertalk_moderation_wasm::verdict::{Action, Label, Thresholds};

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

pub fn judge_all(model: &Model, lines: Vec<Line>) -> Vec<Judged> {
    lines.into_iter().map(|line| judge(model, line)).collect()
}

fn judge(model: &Model, line: Line) -> Judged {
    let normalised = normalise(&line.text);
    let by_rules = rules::findings(&normalised.tokens);
    let estimates = model.estimate(&line.text, &normalised, &by_rules);
    let mut scores = estimates.map(|estimate| estimate.score);
    let mut highest = scores.iter().copied().fold(0.0, f32::max);
    for finding in by_rules {
        highest = highest.max(finding.score);
        if let Some(head) = head(finding.label) {
            let score = &mut scores[head as usize];
            *score = score.max(finding.score);
        }
    }
    Judged {
        line,
        logits: estimates.map(|estimate| estimate.logit),
        probabilities: estimates.map(|estimate| estimate.probability),
        scores,
        action: Thresholds::DEFAULT.action(highest),
    }
}

fn head(label: Label) -> Option<Head> {
    match label {
        Label::Spam | Label::Scam => Some(Head::Spam),
        Label::Toxic => Some(Head::Toxic),
        Label::Hate => Some(Head::Hate),
        Label::Threat => Some(Head::Threat),
        Label::Sexual => Some(Head::Sexual),
        Label::SelfHarm | Label::Own(_) => None,
    }
}

impl Judged {
    pub fn truth(&self, head: Head) -> Truth {
        sources::truth(sources::find(&self.line.source), &self.line.labels, head)
    }

    /// A line of everyday chat that nobody complained about.
    pub fn is_chat(&self) -> bool {
        let chats = ["irc-ubuntu", "goemotions", "sms-spam"];
        self.line.labels == "clean" && chats.contains(&self.line.source.as_str())
    }

    /// Of people, not of templates.
    pub fn is_real(&self) -> bool {
        self.line.template.is_none() && !self.line.source.starts_with("synthetic")
    }

    fn is_english(&self) -> bool {
        self.line.language == "en"
    }
}

/// How a line is scored.
#[derive(Clone, Copy)]
pub enum By {
    Model,
    /// The model and the rules.
    Both,
}

pub fn score(one: &Judged, head: Head, by: By) -> f32 {
    match by {
        By::Model => one.logits[head as usize],
        // What is hateful or a threat is abuse, whichever of the heads says so.
        By::Both if head == Head::Toxic => [Head::Toxic, Head::Hate, Head::Threat]
            .map(|head| one.scores[head as usize])
            .into_iter()
            .fold(0.0, f32::max),
        By::Both => one.scores[head as usize],
    }
}

/// The lines of a language, or all, whose truth about a head is known.
pub fn scored(
    judged: &[Judged],
    head: Head,
    by: By,
    keep: impl Fn(&Judged) -> bool,
) -> Vec<Scored> {
    judged
        .iter()
        .filter(|one| one.truth(head) != Truth::Open && keep(one))
        .map(|one| (score(one, head, by), one.truth(head) == Truth::Yes))
        .collect()
}

/// English lines of the sources that say what is abuse and what is not.
pub fn english_abuse(judged: &[Judged], by: By) -> Vec<Scored> {
    scored(judged, Head::Toxic, by, |one| {
        one.is_english() && one.is_real()
    })
}

/// What a head makes of lines with its label, beside everyday chat.
pub struct BesideChat {
    pub lines: usize,
    pub auc: f64,
    /// Of the lines with the label, where one in a hundred of chat is flagged.
    pub recall: f64,
    /// Of chat, where nine in ten with the label are.
    pub flagged: f64,
}

/// `None` without lines of both kinds.
pub fn beside_chat(judged: &[Judged], head: Head, by: By) -> Option<BesideChat> {
    let scores = |keep: &dyn Fn(&Judged) -> bool| -> Vec<f32> {
        judged
            .iter()
            .filter(|one| keep(one))
            .map(|one| score(one, head, by))
            .collect()
    };
    let chat = scores(&Judged::is_chat);
    // The templates' spam and advances are the most there is; abuse there is enough of.
    let found = scores(&|one| {
        one.truth(head) == Truth::Yes
            && one.line.template.is_none()
            && (one.is_english() && one.is_real() || head != Head::Toxic)
    });
    let both: Vec<Scored> = chat
        .iter()
        .map(|&score| (score, false))
        .chain(found.iter().map(|&score| (score, true)))
        .collect();
    Some(BesideChat {
        lines: found.len(),
        auc: metrics::auc(&both)?,
        recall: metrics::share(&found, metrics::threshold(&chat, 0.01)),
        flagged: metrics::share(&chat, metrics::threshold(&found, 0.9)),
    })
}

/// The share of lines on which at least this is done, and how many lines there are.
pub fn acted(
    judged: &[Judged],
    action: Action,
    keep: impl Fn(&Judged) -> bool,
) -> Option<(f64, usize)> {
    let kept: Vec<&Judged> = judged.iter().filter(|one| keep(one)).collect();
    let acted = kept.iter().filter(|one| one.action >= action).count();
    (!kept.is_empty()).then(|| (acted as f64 / kept.len() as f64, kept.len()))
}

/// Of English abuse that is flagged as it is, the share that is still flagged in disguise, with
/// half of its longer words disguised, and with all.
pub fn disguised(model: &Model, judged: &[Judged]) -> Vec<(Disguise, f64, f64)> {
    let is_flagged = |one: &&Judged| {
        one.truth(Head::Toxic) == Truth::Yes
            && one.is_english()
            && one.is_real()
            && one.action >= Action::Flag
    };
    let abuse: Vec<&Judged> = judged.iter().filter(is_flagged).take(2_000).collect();
    let mut random = Random::new(1);
    let mut caught = |disguise: Disguise, percent| {
        let still = abuse.iter().filter(|one| {
            let text = disguise.apply(&one.line.text, percent, &mut random);
            let line = Line {
                text,
                ..one.line.clone()
            };
            judge(model, line).action >= Action::Flag
        });
        still.count() as f64 / abuse.len().max(1) as f64
    };
    Disguise::ALL
        .into_iter()
        .map(|disguise| (disguise, caught(disguise, 50), caught(disguise, 100)))
        .collect()
}
