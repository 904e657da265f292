//! How good scores are.

/// A score, and whether it should be high.
pub type Scored = (f32, bool);

/// The chance that a line that should score high scores higher than one that should not.
/// `None` without lines of both kinds.
pub fn auc(scored: &[Scored]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|line| line.1).count();
    let negatives = sorted.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut sum = 0.0;
    let mut rank = 0.0;
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let middle = rank + (ties.len() as f64 + 1.0) / 2.0;
        sum += middle * ties.iter().filter(|line| line.1).count() as f64;
        rank += ties.len() as f64;
    }
    let (positives, negatives) = (positives as f64, negatives as f64);
    Some((sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// The best F1 over all thresholds.
pub fn best_f1(scored: &[Scored]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|line| line.1).count();
    let (mut hits, mut best) = (0, 0.0_f64);
    for (index, line) in sorted.iter().enumerate() {
        hits += usize::from(line.1);
        best = best.max(2.0 * hits as f64 / (positives + index + 1) as f64);
    }
    best
}

/// The threshold that this share of the scores reaches.
pub fn threshold(scores: &[f32], share: f64) -> f32 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let allowed = (sorted.len() as f64 * share) as usize;
    // Above the first that must not reach it.
    sorted
        .get(allowed)
        .map_or(f32::INFINITY, |score| score.next_up())
}

/// The share of scores at or above a threshold.
pub fn share(scores: &[f32], threshold: f32) -> f64 {
    let reached = scores.iter().filter(|&&score| score >= threshold).count();
    reached as f64 / scores.len().max(1) as f64
}

/// Expected calibration error over ten bins of equal width.
pub fn calibration_error(scored: &[Scored]) -> f64 {
    let mut bins = [(0.0_f64, 0.0_f64, 0.0_f64); 10];
    for &(probability, yes) in scored {
        let bin = &mut bins[((probability * 10.0) as usize).min(9)];
        bin.0 += 1.0;
        bin.1 += f64::from(probability);
        bin.2 += f64::from(u8::from(yes));
    }
    let error = |(_, expected, seen): &(f64, f64, f64)| (expected - seen).abs();
    bins.iter().map(error).sum::<f64>() / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs_in_order_and_halves_ties() {
        let scored = [(0.9, true), (0.5, false), (0.5, true), (0.1, false)];
        assert_eq!(auc(&scored), Some(3.5 / 4.0));
        assert_eq!(auc(&[(0.5, true)]), None);
    }

    #[test]
    fn a_threshold_lets_no_more_than_its_share_pass() {
        let scores = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(share(&scores, threshold(&scores, 0.5)), 0.5);
        assert_eq!(share(&scores, threshold(&scores, 0.0)), 0.0);
    }
}
