//! From what was found in a message to what happens to it.
//!
//! Every finding is a label and a score; [`Action::for_score`] is the only place where a score
//! becomes an action. A rule finds with the score of its action; a model adds findings whose
//! scores it has calibrated to the same scale. The highest score decides.

/// What happens to a message, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Allow,
    Flag,
    Mask,
    Block,
}

impl Action {
    const SCALE: [(Action, &'static str, f32); 4] = [
        (Action::Allow, "allow", 0.0),
        (Action::Flag, "flag", 0.5),
        (Action::Mask, "mask", 0.75),
        (Action::Block, "block", 0.95),
    ];

    pub fn from_name(name: &str) -> Option<Action> {
        let row = Action::SCALE.iter().find(|row| row.1 == name);
        row.map(|row| row.0)
    }

    /// The action from whose lowest score on `score` lies.
    pub fn for_score(score: f32) -> Action {
        let row = Action::SCALE.iter().rfind(|row| row.2 <= score);
        row.map_or(Action::Allow, |row| row.0)
    }

    /// The lowest score that leads to this action.
    pub fn score(self) -> f32 {
        Action::SCALE[self as usize].2
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Spam,
    Scam,
    Toxic,
    Hate,
    Threat,
    SelfHarm,
    Sexual,
}

impl Label {
    pub const ALL: [Label; 7] = [
        Label::Spam,
        Label::Scam,
        Label::Toxic,
        Label::Hate,
        Label::Threat,
        Label::SelfHarm,
        Label::Sexual,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Label::Spam => "spam",
            Label::Scam => "scam",
            Label::Toxic => "toxic",
            Label::Hate => "hate",
            Label::Threat => "threat",
            Label::SelfHarm => "self-harm",
            Label::Sexual => "sexual",
        }
    }

    pub fn from_name(name: &str) -> Option<Label> {
        Label::ALL.into_iter().find(|label| label.name() == name)
    }
}

/// One thing that was found in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    pub label: Label,
    /// 0.0 to 1.0, on the scale of [`Action::for_score`].
    pub score: f32,
    /// The rule that found it; else the model did.
    pub rule: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub action: Action,
    /// Each label once, highest first.
    pub scores: Vec<(Label, f32)>,
    /// The rule that decided, if one did.
    pub rule: Option<&'static str>,
    /// The model decided.
    pub by_model: bool,
}

/// The highest finding decides; of equals the first. A scam is spam as well.
pub fn decide(findings: impl IntoIterator<Item = Finding>) -> Verdict {
    let mut findings: Vec<Finding> = findings.into_iter().collect();
    let scams = findings
        .iter()
        .filter(|finding| finding.label == Label::Scam);
    let spam: Vec<Finding> = scams
        .map(|&scam| Finding {
            label: Label::Spam,
            ..scam
        })
        .collect();
    findings.extend(spam);
    findings.sort_by(|a, b| b.score.total_cmp(&a.score));

    let mut scores: Vec<(Label, f32)> = Vec::new();
    for finding in &findings {
        if scores.iter().all(|&(label, _)| label != finding.label) {
            scores.push((finding.label, finding.score));
        }
    }
    // What is too little for any action decided nothing.
    let decisive = findings
        .first()
        .filter(|finding| Action::for_score(finding.score) > Action::Allow);
    Verdict {
        action: decisive.map_or(Action::Allow, |finding| Action::for_score(finding.score)),
        scores,
        rule: decisive.and_then(|finding| finding.rule),
        by_model: decisive.is_some_and(|finding| finding.rule.is_none()),
    }
}
