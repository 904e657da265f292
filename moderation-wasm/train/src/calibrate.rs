//! From logits to probabilities (Platt 1999), and the thresholds of actions.

use clustertalk_moderation_wasm::model::{Head, Header, PerHead};

use crate::evaluate::Judged;
use crate::metrics;
use crate::sources::{self, Truth};

/// The share of benign chat that each head may flag, and mask: together about one line in a
/// hundred, and one in fourteen hundred. Chat of other places is flagged and masked more often than
/// this, so there is room to the one in two hundred that may be masked.
pub const FLAGGED: PerHead<f64> = [0.005, 0.001_5, 0.001_5, 0.001, 0.001];
pub const MASKED: PerHead<f64> = [0.000_3, 0.000_1, 0.000_1, 0.000_1, 0.000_1];

/// No head flags below, or masks below, these probabilities, however rarely benign chat gets there.
const LEAST_FLAG: f32 = 0.5;
const LEAST_MASK: f32 = 0.8;

pub fn calibrate(header: &mut Header, judged: &[Judged]) {
    for head in Head::ALL {
        let scored: Vec<(f32, bool)> = judged
            .iter()
            .filter_map(|one| {
                let truth = sources::truth(sources::find(&one.line.source), &one.line.labels, head);
                let logit = one.logits[head as usize];
                (truth != Truth::Open).then_some((logit, truth == Truth::Yes))
            })
            .collect();
        let (slope, offset) = platt(&scored);
        let benign: Vec<f32> = judged
            .iter()
            .filter(|one| one.is_chat())
            .map(|one| slope * one.logits[head as usize] + offset)
            .collect();
        let index = head as usize;
        header.slope[index] = slope;
        header.offset[index] = offset;
        header.flag[index] = metrics::threshold(&benign, FLAGGED[index]).max(logit(LEAST_FLAG));
        let mask = metrics::threshold(&benign, MASKED[index]).max(logit(LEAST_MASK));
        header.mask[index] = mask.max(header.flag[index] + 0.1);
    }
}

fn logit(probability: f32) -> f32 {
    libm::logf(probability / (1.0 - probability))
}

/// The slope and offset of the likeliest logistic curve, by Newton's method.
fn platt(scored: &[(f32, bool)]) -> (f32, f32) {
    let positives = scored.iter().filter(|one| one.1).count() as f64;
    let negatives = scored.len() as f64 - positives;
    // Platt's targets, which keep few lines from certainty.
    let (high, low) = (
        (positives + 1.0) / (positives + 2.0),
        1.0 / (negatives + 2.0),
    );
    let (mut slope, mut offset) = (1.0_f64, 0.0_f64);
    for _ in 0..50 {
        let (mut g1, mut g0, mut h11, mut h10, mut h00) = (0.0, 0.0, 1e-6, 0.0, 1e-6);
        for &(score, yes) in scored {
            let score = f64::from(score);
            let probability = 1.0 / (1.0 + libm::exp(-(slope * score + offset)));
            let error = probability - if yes { high } else { low };
            let weight = probability * (1.0 - probability);
            g1 += error * score;
            g0 += error;
            h11 += weight * score * score;
            h10 += weight * score;
            h00 += weight;
        }
        let determinant = h11 * h00 - h10 * h10;
        if determinant.abs() < 1e-12 {
            break;
        }
        slope -= 0.7 * (h00 * g1 - h10 * g0) / determinant;
        offset -= 0.7 * (h11 * g0 - h10 * g1) / determinant;
    }
    (slope.max(0.05) as f32, offset as f32)
}
