//! From what was found in a message to what happens to it.
//!
//! Every finding is a label and a score. A built-in rule finds with the score of its action; the
//! model adds findings whose scores it has calibrated to the same scale. What a score leads to is
//! decided by [`Thresholds`]; a rule of a policy says itself what is to be done. The strongest
//! action decides.

/// What happens to a message, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Allow,
    Flag,
    Mask,
    Block,
}

impl Action {
    pub const ALL: [Action; 4] = [Action::Allow, Action::Flag, Action::Mask, Action::Block];

    pub fn name(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Flag => "flag",
            Action::Mask => "mask",
            Action::Block => "block",
        }
    }

    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The lowest score that leads to this action where no policy says otherwise.
    pub fn score(self) -> f32 {
        match self {
            Action::Allow => 0.0,
            Action::Flag => Thresholds::DEFAULT.flag,
            Action::Mask => Thresholds::DEFAULT.mask,
            Action::Block => Thresholds::DEFAULT.block,
        }
    }
}

/// The scores from which on something is done; infinite for what is never done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    pub flag: f32,
    pub mask: f32,
    pub block: f32,
}

impl Thresholds {
    pub const DEFAULT: Thresholds = Thresholds {
        flag: 0.5,
        mask: 0.75,
        block: 0.95,
    };

    /// What a score leads to.
    pub fn action(self, score: f32) -> Action {
        if score >= self.block {
            Action::Block
        } else if score >= self.mask {
            Action::Mask
        } else if score >= self.flag {
            Action::Flag
        } else {
            Action::Allow
        }
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    Spam,
    Scam,
    Toxic,
    Hate,
    Threat,
    SelfHarm,
    Sexual,
    /// One that a policy has made up.
    Own(&'static str),
}

impl Label {
    /// The built-in ones.
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
            Label::Own(name) => name,
        }
    }

    /// The built-in label of this name.
    pub fn from_name(name: &str) -> Option<Label> {
        Label::ALL.into_iter().find(|label| label.name() == name)
    }
}

/// One thing that was found in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    pub label: Label,
    /// 0.0 to 1.0.
    pub score: f32,
    /// The rule that found it; else the model did.
    pub rule: Option<&'static str>,
    /// What is to be done, whatever the thresholds are.
    pub action: Option<Action>,
    /// What stands for a text that it masks, if not what the policy says for all.
    pub replacement: Option<&'static str>,
}

impl Finding {
    /// Of a built-in rule.
    pub fn of_built_in(rule: &'static str, label: Label, score: f32) -> Finding {
        Finding {
            label,
            score,
            rule: Some(rule),
            action: None,
            replacement: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub action: Action,
    /// Each label once. The label that decided is the first, then the highest first.
    pub scores: Vec<(Label, f32)>,
    /// The rule that decided, if one did.
    pub rule: Option<&'static str>,
    /// The model decided.
    pub by_model: bool,
    /// What to show in the place of a masked text, if the rule that decided says so.
    pub replacement: Option<&'static str>,
}

/// The strongest action decides, of equals the highest score, of these the first. A scam is spam
/// as well.
pub fn decide(
    findings: impl IntoIterator<Item = Finding>,
    thresholds: impl Fn(Label) -> Thresholds,
) -> Verdict {
    let mut decisive: Option<(Action, Finding)> = None;
    let mut scores: Vec<(Label, f32)> = Vec::new();
    let spam = |finding: &Finding| {
        (finding.label == Label::Scam).then_some(Finding {
            label: Label::Spam,
            ..*finding
        })
    };
    let findings = findings.into_iter();
    for finding in findings
        .flat_map(|finding| [Some(finding), spam(&finding)])
        .flatten()
    {
        let action = action(&finding, &thresholds);
        let is_stronger = decisive.is_none_or(|(strongest, before)| {
            action > strongest || action == strongest && finding.score > before.score
        });
        // What is too little for any action decides nothing.
        if is_stronger && action > Action::Allow {
            decisive = Some((action, finding));
        }
        match scores.iter_mut().find(|(label, _)| *label == finding.label) {
            Some((_, score)) => *score = score.max(finding.score),
            None => scores.push((finding.label, finding.score)),
        }
    }
    let decided = decisive.map(|(_, finding)| finding.label);
    let mut sorted: Vec<(Label, f32)> = Vec::with_capacity(scores.len());
    for (label, score) in scores {
        let is_behind = |(other, higher): &(Label, f32)| {
            Some(*other) == decided || (*higher >= score && Some(label) != decided)
        };
        let place = sorted.iter().take_while(|other| is_behind(other)).count();
        sorted.insert(place, (label, score));
    }
    Verdict {
        action: decisive.map_or(Action::Allow, |(action, _)| action),
        scores: sorted,
        rule: decisive.and_then(|(_, finding)| finding.rule),
        by_model: decisive.is_some_and(|(_, finding)| finding.rule.is_none()),
        replacement: decisive.and_then(|(_, finding)| finding.replacement),
    }
}

/// What one finding leads to.
pub fn action(finding: &Finding, thresholds: &impl Fn(Label) -> Thresholds) -> Action {
    finding
        .action
        .unwrap_or_else(|| thresholds(finding.label).action(finding.score))
}
