//! The trained model: how likely a text is toxic, hateful, spam, sexual or a threat.
//!
//! Each label is a logistic regression over the features of [`crate::features`]. The weights are
//! `model/weights.bin`, which `train/` makes; they are read where they lie, without a copy.
//! Words are kept with eight bits of their hash, so that most that were not learned weigh nothing.

use crate::features::cues::{Cue, Cues, cues};
use crate::features::words;
use crate::normalise::Normalised;
use crate::verdict::{Finding, Label};

/// The name that goes with a verdict, and the version of the format and of the features.
pub const NAME: &str = "words-2";

/// What the model tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Head {
    Toxic,
    Hate,
    Spam,
    Sexual,
    Threat,
}

impl Head {
    pub const COUNT: usize = 5;
    pub const ALL: [Head; Head::COUNT] = [
        Head::Toxic,
        Head::Hate,
        Head::Spam,
        Head::Sexual,
        Head::Threat,
    ];

    /// As it stands in the training data.
    pub fn name(self) -> &'static str {
        match self {
            Head::Toxic => "toxic",
            Head::Hate => "hate",
            Head::Spam => "spam",
            Head::Sexual => "sexual",
            Head::Threat => "threat",
        }
    }

    pub fn label(self) -> Label {
        match self {
            Head::Toxic => Label::Toxic,
            Head::Hate => Label::Hate,
            Head::Spam => Label::Spam,
            Head::Sexual => Label::Sexual,
            Head::Threat => Label::Threat,
        }
    }
}

/// One number a head, in the order of [`Head::ALL`].
pub type PerHead<T> = [T; Head::COUNT];

/// Words that share a place of the table.
pub const BUCKET: usize = 8;
pub const BUCKETS: usize = 22_500;
/// A word has a byte of its hash, a byte for the first head, and half of one for each other.
const WORD_BYTES: usize = 2 + (Head::COUNT - 1) / 2;
const BUCKET_BYTES: usize = BUCKET * WORD_BYTES;

/// The numbers before the table, as 32-bit floats.
const HEADER_FLOATS: usize = Head::COUNT * 6 + Cue::COUNT * Head::COUNT;
const MAGIC: &[u8; 8] = b"ctwords2";
const HEADER_BYTES: usize = MAGIC.len() + HEADER_FLOATS * 4;
pub const BYTES: usize = HEADER_BYTES + BUCKETS * BUCKET_BYTES;
const _: () = assert!(BYTES <= 1 << 20);

/// Words that are judged together in a long text are one to two of these.
const WINDOW: usize = 128;

/// What turns sums into scores; the trainer chooses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The logit that one step of a word's weight is worth.
    pub step: PerHead<f32>,
    pub bias: PerHead<f32>,
    /// Platt's calibration: the probability is the logistic function of `slope * logit + offset`.
    pub slope: PerHead<f32>,
    pub offset: PerHead<f32>,
    /// The calibrated logits from which on a text is flagged, and masked.
    pub flag: PerHead<f32>,
    pub mask: PerHead<f32>,
    pub cues: [PerHead<f32>; Cue::COUNT],
}

/// A word's weights: its logit by head, in steps. Each is one of the levels that [`level`] gives.
pub type Weights = PerHead<i16>;

/// The levels of four bits: few words weigh much for a rare label, and most weigh little, so the
/// levels are squares.
const SQUARES: [i16; 16] = [
    0, 1, 4, 9, 16, 25, 36, 49, 0, -49, -36, -25, -16, -9, -4, -1,
];
/// The highest level of a head: the first has eight bits, since most of what is found is its own.
pub const HIGHEST_LEVEL: PerHead<i16> = [127, 49, 49, 49, 49];

/// The level nearest to a logit in steps.
pub fn level(head: usize, steps: f32) -> i16 {
    if head == 0 {
        return steps.round().clamp(-127.0, 127.0) as i16;
    }
    let distance = |level: &i16| (f32::from(*level) - steps).abs();
    let nearest = SQUARES
        .into_iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.unwrap_or_default()
}

/// What was found for a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Calibrated.
    pub logit: f32,
    pub probability: f32,
    /// On the scale of [`crate::verdict::Thresholds::DEFAULT`]: 0.5 at the head's threshold for
    /// flagging, 0.75 at that for masking, and never as much as blocking takes.
    pub score: f32,
}

pub struct Model<'a> {
    /// The numbers of a [`Header`], read where they are needed: most cues do not hold.
    numbers: &'a [u8],
    table: &'a [u8],
}

/// A list of a header.
#[derive(Clone, Copy)]
enum List {
    Step,
    Bias,
    Slope,
    Offset,
    Flag,
    Mask,
    /// The first of the cues' lists.
    Cues,
}

impl<'a> Model<'a> {
    /// The model that is built into the component.
    pub fn built_in() -> Model<'static> {
        static WEIGHTS: &[u8; BYTES] = include_bytes!("../model/weights.bin");
        Model::new(WEIGHTS)
    }

    pub fn new(weights: &'a [u8; BYTES]) -> Model<'a> {
        let (header, table) = weights.split_at(HEADER_BYTES);
        Model {
            numbers: &header[MAGIC.len()..],
            table,
        }
    }

    pub fn header(&self) -> Header {
        Header {
            step: self.numbers(List::Step, 0),
            bias: self.numbers(List::Bias, 0),
            slope: self.numbers(List::Slope, 0),
            offset: self.numbers(List::Offset, 0),
            flag: self.numbers(List::Flag, 0),
            mask: self.numbers(List::Mask, 0),
            cues: std::array::from_fn(|cue| self.numbers(List::Cues, cue)),
        }
    }

    fn numbers(&self, list: List, index: usize) -> PerHead<f32> {
        let start = (list as usize + index) * Head::COUNT;
        std::array::from_fn(|head| {
            let bytes = &self.numbers[(start + head) * 4..][..4];
            f32::from_le_bytes(bytes.try_into().unwrap_or_default())
        })
    }

    /// What it finds in a text, for the verdict.
    pub fn findings(
        &self,
        text: &str,
        normalised: &Normalised,
        by_rules: &[Finding],
    ) -> PerHead<Finding> {
        let estimates = self.estimate(text, normalised, by_rules);
        Head::ALL.map(|head| Finding {
            label: head.label(),
            score: estimates[head as usize].score,
            rule: None,
            action: None,
            replacement: None,
        })
    }

    /// What it finds in a text, by head.
    pub fn estimate(
        &self,
        text: &str,
        normalised: &Normalised,
        by_rules: &[Finding],
    ) -> PerHead<Estimate> {
        let logits = self.logits(text, normalised, cues(text, normalised, by_rules));
        let mut estimates = [Estimate {
            logit: 0.0,
            probability: 0.0,
            score: 0.0,
        }; Head::COUNT];
        let [slope, offset, flag, mask] =
            [List::Slope, List::Offset, List::Flag, List::Mask].map(|list| self.numbers(list, 0));
        for (head, estimate) in estimates.iter_mut().enumerate() {
            let logit = slope[head] * logits[head] + offset[head];
            *estimate = Estimate {
                logit,
                probability: logistic(logit),
                score: score(logit, flag[head], mask[head]),
            };
        }
        estimates
    }

    /// Before calibration.
    fn logits(&self, text: &str, normalised: &Normalised, cues: Cues) -> PerHead<f32> {
        let sums = self.sums(text, normalised);
        let mut logits = self.numbers(List::Bias, 0);
        for cue in cues.numbers() {
            for (logit, weight) in logits.iter_mut().zip(self.numbers(List::Cues, cue)) {
                *logit += weight;
            }
        }
        let step = self.numbers(List::Step, 0);
        for head in 0..Head::COUNT {
            logits[head] += sums[head] * step[head];
        }
        logits
    }

    /// By head the highest sum of the weights of a window's words, each divided by the root of
    /// how many there are.
    fn sums(&self, text: &str, normalised: &Normalised) -> PerHead<f32> {
        let mut best = [f32::NEG_INFINITY; Head::COUNT];
        let mut before = Sums::default();
        let mut current = Sums::default();
        let mut window = 0;
        words(text, normalised, |word, hash| {
            if word / WINDOW > window {
                window = word / WINDOW;
                best = higher(best, before.with(&current).scaled());
                before = std::mem::take(&mut current);
            }
            if let Some(weights) = self.weights(hash) {
                current.add(weights);
            }
        });
        higher(best, before.with(&current).scaled())
    }

    /// The weights of a word, if it was learned.
    pub fn weights(&self, hash: u32) -> Option<Weights> {
        let (bucket, fingerprint) = place(hash);
        let bucket = &self.table[bucket * BUCKET_BYTES..][..BUCKET_BYTES];
        let (fingerprints, weights) = bucket.split_first_chunk::<BUCKET>()?;
        let (first, others) = weights.split_first_chunk::<BUCKET>()?;
        let index = find(*fingerprints, fingerprint)?;
        let (pairs, _) = others.as_chunks::<2>();
        let [low, high] = *pairs.get(index)?;
        let square = |bits: u8| SQUARES[usize::from(bits & 0xf)];
        Some([
            i16::from(first[index] as i8),
            square(low),
            square(low >> 4),
            square(high),
            square(high >> 4),
        ])
    }
}

/// The bucket of a hash, and what is kept of it there; 0 is for an empty place.
pub fn place(hash: u32) -> (usize, u8) {
    let bucket = (u64::from(hash) * BUCKETS as u64) >> 32;
    (bucket as usize, (hash as u8).max(1))
}

/// The first of eight bytes that is `wanted`, all at once.
fn find(bytes: [u8; BUCKET], wanted: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let difference = u64::from_le_bytes(bytes) ^ (ONES * u64::from(wanted));
    let zeros = difference.wrapping_sub(ONES) & !difference & HIGHS;
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

#[derive(Default)]
struct Sums {
    sums: PerHead<i32>,
    count: u32,
}

impl Sums {
    fn add(&mut self, weights: Weights) {
        for (sum, weight) in self.sums.iter_mut().zip(weights) {
            *sum += i32::from(weight);
        }
        self.count += 1;
    }

    fn with(&self, other: &Sums) -> Sums {
        Sums {
            sums: std::array::from_fn(|head| self.sums[head] + other.sums[head]),
            count: self.count + other.count,
        }
    }

    fn scaled(&self) -> PerHead<f32> {
        let scale = length_scale(self.count);
        self.sums.map(|sum| sum as f32 * scale)
    }
}

/// The words of a text that are judged together: those of two windows, or all of a short text.
pub fn stretches(words: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let windows = words.div_ceil(WINDOW).max(1);
    (0..windows.saturating_sub(1).max(1))
        .map(move |window| window * WINDOW..((window + 2) * WINDOW).min(words))
}

/// What each of `count` words' weights is multiplied by: a text of few words says little.
pub fn length_scale(count: u32) -> f32 {
    const LITTLE: u32 = 40;
    1.0 / ((count + LITTLE) as f32).sqrt()
}

fn higher(a: PerHead<f32>, b: PerHead<f32>) -> PerHead<f32> {
    std::array::from_fn(|head| a[head].max(b[head]))
}

fn logistic(logit: f32) -> f32 {
    // Not the platform's own, which differs in the last digit.
    1.0 / (1.0 + libm::expf(-logit))
}

/// Straight lines through what the thresholds mean, in the probability between them.
fn score(logit: f32, flag: f32, mask: f32) -> f32 {
    const HIGHEST: f32 = 0.94;
    let value = logistic(logit);
    let (flag, mask) = (logistic(flag), logistic(mask));
    if value < flag {
        0.5 * value / flag
    } else if value < mask {
        0.5 + 0.25 * (value - flag) / (mask - flag)
    } else {
        0.75 + (HIGHEST - 0.75) * (value - mask) / (1.0 - mask)
    }
}

/// Writes what [`Model::new`] reads.
pub fn write(header: &Header, table: &[[Option<(u8, Weights)>; BUCKET]]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let lists = [
        &header.step,
        &header.bias,
        &header.slope,
        &header.offset,
        &header.flag,
        &header.mask,
    ];
    for value in lists.into_iter().chain(&header.cues).flatten() {
        bytes.extend(value.to_le_bytes());
    }
    for bucket in table {
        let words = bucket.map(|place| place.unwrap_or((0, [0; Head::COUNT])));
        bytes.extend(words.map(|(fingerprint, _)| fingerprint));
        bytes.extend(words.map(|(_, weights)| weights[0] as u8));
        let bits = |level: i16| {
            SQUARES
                .iter()
                .position(|one| *one == level)
                .unwrap_or_default() as u8
        };
        for (_, [_, others @ ..]) in words {
            let [a, b, c, d] = others.map(bits);
            bytes.extend([a | b << 4, c | d << 4]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_where_it_stands_first() {
        let bytes = [7, 0, 255, 1, 7, 128, 127, 2];
        assert_eq!(find(bytes, 7), Some(0));
        assert_eq!(find(bytes, 255), Some(2));
        assert_eq!(find(bytes, 1), Some(3));
        assert_eq!(find(bytes, 128), Some(5));
        assert_eq!(find(bytes, 3), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let header = Header {
            step: [0.5; Head::COUNT],
            bias: [1.0, 2.0, 3.0, 4.0, 5.0],
            slope: [6.0; Head::COUNT],
            offset: [7.0; Head::COUNT],
            flag: [8.0; Head::COUNT],
            mask: [9.0; Head::COUNT],
            cues: [[10.0; Head::COUNT]; Cue::COUNT],
        };
        let hash = 0xdead_beef;
        let (bucket, fingerprint) = place(hash);
        let mut table = vec![[None; BUCKET]; BUCKETS];
        table[bucket][5] = Some((fingerprint, [-127, -1, 49, -49, 0]));
        let bytes = write(&header, &table);
        let model = Model::new(bytes.as_slice().try_into().expect("all of it"));
        assert_eq!(model.header(), header);
        assert_eq!(model.weights(hash), Some([-127, -1, 49, -49, 0]));
        assert_eq!(model.weights(!hash), None);
    }

    #[test]
    fn thresholds_are_where_their_actions_begin() {
        assert_eq!(score(1.0, 1.0, 3.0), 0.5);
        assert_eq!(score(3.0, 1.0, 3.0), 0.75);
        assert!(score(0.9, 1.0, 3.0) < 0.5);
        assert!(score(100.0, 1.0, 3.0) < 0.95);
        assert!(score(-100.0, 1.0, 3.0) >= 0.0);
    }
}
