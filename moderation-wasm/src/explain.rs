//! Why a text is judged as it is: for whoever writes a policy, never asked for while people chat.

use crate::features::cues::{Cue, cues};
use crate::features::words;
use crate::model::{Head, Model, length_scale};
use crate::normalise::Normalised;
use crate::policy::{Assessment, InRoom};
use crate::verdict::{self, Action, Finding, Label, Thresholds, Verdict};

/// How many features are named, of each label that is named at all.
const FEATURES: usize = 8;
/// A label with less is not worth a word.
const LITTLE: f32 = 0.25;

#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub verdict: Verdict,
    /// The name of the policy.
    pub policy: &'static str,
    pub normalised: String,
    /// What was found, with what each alone would lead to.
    pub findings: Vec<(Finding, Action)>,
    /// What weighed most for the model, by label, the heaviest first.
    pub features: Vec<Feature>,
    /// Of each label that was found.
    pub thresholds: Vec<(Label, Thresholds)>,
}

/// A word, or what was seen beside words, and how it moved the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    pub label: Label,
    /// The word as it was normalised, with what it is in (pairs, runs of letters); or a cue in
    /// capitals, such as `OneLink`.
    pub what: String,
    /// By so much it moved the calibrated logit: up for more of the label.
    pub weight: f32,
}

/// Explains the verdict on a text. Of a text of several parts only the first is explained.
pub fn explain(policy: &InRoom<'_>, text: &str) -> Explanation {
    let verdict = policy.judge(text);
    let first = crate::policy::parts(text).next().unwrap_or_default();
    let assessment = policy.assess(first);
    let thresholds = |label| policy.thresholds(label);
    let mut findings: Vec<(Finding, Action)> = Vec::new();
    for finding in &assessment.findings {
        if finding.rule.is_some() || finding.score >= LITTLE {
            findings.push((*finding, verdict::action(finding, &thresholds)));
        }
    }
    let mut labels: Vec<Label> = Vec::new();
    for (finding, _) in &findings {
        if !labels.contains(&finding.label) {
            labels.push(finding.label);
        }
    }
    let heads = Head::ALL
        .into_iter()
        .filter(|head| labels.contains(&head.label()));
    Explanation {
        verdict,
        policy: policy.name(),
        features: heads.flat_map(|head| features(&assessment, head)).collect(),
        thresholds: labels
            .iter()
            .map(|&label| (label, policy.thresholds(label)))
            .collect(),
        normalised: assessment.normalised.text,
        findings,
    }
}

/// What weighed most for a head.
fn features(assessment: &Assessment, head: Head) -> Vec<Feature> {
    let Assessment {
        text,
        normalised,
        by_rules,
        ..
    } = assessment;
    let model = Model::built_in();
    let header = model.header();
    let slope = header.slope[head as usize];
    let cues = cues(text, normalised, by_rules);
    let by_cue = cues.numbers().map(|cue| {
        let name = Cue::ALL.get(cue).map(|cue| format!("{cue:?}"));
        (name.unwrap_or_default(), header.cues[cue][head as usize])
    });
    let mut features: Vec<Feature> = by_word(&model, text, normalised, head)
        .into_iter()
        .chain(by_cue)
        .map(|(what, logit)| Feature {
            label: head.label(),
            what,
            weight: logit * slope,
        })
        .collect();
    // Selected and not sorted: it is code that every message would carry.
    let mut heaviest = Vec::with_capacity(FEATURES);
    while heaviest.len() < FEATURES {
        let weights = features.iter().map(|feature| feature.weight.abs());
        let Some((index, weight)) = weights.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) else {
            break;
        };
        if weight < 0.05 {
            break;
        }
        heaviest.push(features.swap_remove(index));
    }
    heaviest
}

/// The logit that each word brings; in a long text that of the stretch that weighs most.
fn by_word(
    model: &Model<'_>,
    text: &str,
    normalised: &Normalised,
    head: Head,
) -> Vec<(String, f32)> {
    let mut sums = vec![0.0; normalised.tokens.len()];
    let mut counts = vec![0; normalised.tokens.len()];
    words(text, normalised, |word, hash| {
        if let (Some(weights), Some(sum)) = (model.weights(hash), sums.get_mut(word)) {
            *sum += f32::from(weights[head as usize]);
            counts[word] += 1;
        }
    });
    let scaled = |words: std::ops::Range<usize>| -> f32 {
        let scale = length_scale(counts[words.clone()].iter().sum());
        sums[words].iter().sum::<f32>() * scale
    };
    let stretch = crate::model::stretches(sums.len())
        .max_by(|a, b| scaled(a.clone()).total_cmp(&scaled(b.clone())))
        .unwrap_or(0..sums.len());
    let step = model.header().step[head as usize];
    let scale = length_scale(counts[stretch.clone()].iter().sum()) * step;
    normalised
        .text
        .split(' ')
        .zip(&sums)
        .skip(stretch.start)
        .take(stretch.len())
        .map(|(word, sum)| (word.to_owned(), sum * scale))
        .collect()
}
