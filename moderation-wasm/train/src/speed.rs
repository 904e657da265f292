//! How long a judgement takes here.

use std::hint::black_box;
use std::time::Instant;

use clustertalk_moderation_wasm::judge;

use crate::data::Line;

/// The middle and the 99th percentile, in microseconds, over lines of about 100 characters.
pub fn measure(lines: &[Line]) -> String {
    let texts: Vec<&str> = lines
        .iter()
        .map(|line| line.text.as_str())
        .filter(|text| (90..=110).contains(&text.chars().count()))
        .take(2_000)
        .collect();
    let mut times = Vec::new();
    for _ in 0..5 {
        for text in &texts {
            let began = Instant::now();
            black_box(judge(black_box(text)));
            times.push(began.elapsed().as_nanos());
        }
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100] as f64 / 1e3;
    format!(
        "{} texts of 90 to 110 characters: p50 {:.1} us, p99 {:.1} us\n",
        texts.len(),
        at(50),
        at(99)
    )
}
