//! From what was learned to the table of the component: the words that matter most, in few bits a head.

use clustertalk_moderation_wasm::features::cues::Cue;
use clustertalk_moderation_wasm::model::{self, BUCKET, BUCKETS, Head, Header, PerHead, Weights};

use crate::examples::Examples;
use crate::learn::{Learner, Settings};

/// A word in fewer lines than this is not learned.
const FEWEST_LINES: u32 = 3;

const EMPTY: u32 = u32::MAX;

/// The hashes that stand in enough lines, and a number for each.
pub struct Dictionary {
    hashes: Vec<u32>,
    counts: Vec<u32>,
    /// An open table of numbers, by hash.
    places: Vec<u32>,
    shift: u32,
}

impl Dictionary {
    pub fn new(examples: &Examples) -> Dictionary {
        let mut sorted = examples.all_features().to_vec();
        sorted.sort_unstable();
        let (mut hashes, mut counts) = (Vec::new(), Vec::new());
        for equal in sorted.chunk_by(|a, b| a == b) {
            let count = equal.len() as u32;
            if count >= FEWEST_LINES {
                hashes.push(equal[0]);
                counts.push(count);
            }
        }
        let bits = (hashes.len() * 2).max(2).ilog2() + 1;
        let shift = 32 - bits;
        let mut places = vec![EMPTY; 1 << bits];
        for (number, &hash) in hashes.iter().enumerate() {
            let mut place = (hash >> shift) as usize;
            while places[place] != EMPTY {
                place = (place + 1) & (places.len() - 1);
            }
            places[place] = number as u32;
        }
        Dictionary {
            hashes,
            counts,
            places,
            shift,
        }
    }

    pub fn number(&self, hash: u32) -> Option<u32> {
        let mut place = (hash >> self.shift) as usize;
        loop {
            match self.places[place] {
                EMPTY => return None,
                number if self.hashes[number as usize] == hash => return Some(number),
                _ => place = (place + 1) & (self.places.len() - 1),
            }
        }
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }
}

/// Which word has which place of the component's table.
struct Layout {
    /// By place: fingerprint, and the number in the dictionary.
    places: Vec<Option<(u8, u32)>>,
}

/// How much of the table each head's words may claim.
const SHARE: PerHead<f32> = [2.0, 1.0, 1.0, 0.7, 0.7];

impl Layout {
    /// Each bucket keeps the words that move the scores of the most lines the furthest.
    fn new(dictionary: &Dictionary, learner: &Learner) -> Layout {
        let reach = |number: usize| {
            let lines = (dictionary.counts[number] as f32).sqrt();
            learner.weights(number).map(|weight| weight.abs() * lines)
        };
        let mut means = [0.0_f64; Head::COUNT];
        for number in 0..dictionary.len() {
            for (mean, reach) in means.iter_mut().zip(reach(number)) {
                *mean += f64::from(reach);
            }
        }
        let means = means.map(|sum| (sum / dictionary.len().max(1) as f64).max(1e-9) as f32);
        let importance = |number: usize| -> f32 {
            let reach = reach(number);
            (0..Head::COUNT)
                .map(|head| SHARE[head] * reach[head] / means[head])
                .sum()
        };

        let mut buckets: Vec<Vec<(f32, u8, u32)>> = vec![Vec::new(); BUCKETS];
        for (number, &hash) in dictionary.hashes.iter().enumerate() {
            let (bucket, fingerprint) = model::place(hash);
            buckets[bucket].push((importance(number), fingerprint, number as u32));
        }
        let mut places = vec![None; BUCKETS * BUCKET];
        for (bucket, mut words) in buckets.into_iter().enumerate() {
            words.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
            let mut kept: Vec<(u8, u32)> = Vec::new();
            for (_, fingerprint, number) in words {
                if kept.len() < BUCKET && kept.iter().all(|word| word.0 != fingerprint) {
                    kept.push((fingerprint, number));
                }
            }
            for (index, word) in kept.into_iter().enumerate() {
                places[bucket * BUCKET + index] = Some(word);
            }
        }
        Layout { places }
    }

    /// The place in which the component will find a hash, be it that word's own or another's.
    fn find(&self, hash: u32) -> Option<u32> {
        let (bucket, fingerprint) = model::place(hash);
        let start = bucket * BUCKET;
        let places = &self.places[start..start + BUCKET];
        let index = places
            .iter()
            .position(|place| place.is_some_and(|place| place.0 == fingerprint))?;
        Some((start + index) as u32)
    }
}

/// The weights as bytes, before calibration: every slope is 1, every offset 0.
pub struct Table {
    pub header: Header,
    buckets: Vec<[Option<(u8, Weights)>; BUCKET]>,
}

impl Table {
    pub fn bytes(&self) -> Vec<u8> {
        model::write(&self.header, &self.buckets)
    }
}

/// Learns twice: all words first, to see which matter; then those that fit.
pub fn learn(examples: &Examples, first: &Settings, second: &Settings) -> Table {
    let dictionary = Dictionary::new(examples);
    eprintln!("{} lines, {} features", examples.len(), dictionary.len());
    let numbered = examples.renumbered(|hash| dictionary.number(hash));
    let mut wide = Learner::new((0..dictionary.len()).map(|_| [0.0; Head::COUNT]));
    wide.learn(&numbered, first);
    drop(numbered);

    let layout = Layout::new(&dictionary, &wide);
    let placed = examples.renumbered(|hash| layout.find(hash));
    let weights = layout.places.iter().map(|place| {
        place.map_or([0.0; Head::COUNT], |(_, number)| {
            wide.weights(number as usize)
        })
    });
    let mut narrow = Learner::new(weights);
    drop(wide);
    narrow.learn(&placed, second);
    quantised(&layout, &narrow)
}

fn quantised(layout: &Layout, learner: &Learner) -> Table {
    let places = layout.places.len();
    let step: PerHead<f32> = std::array::from_fn(|head| {
        let mut sizes: Vec<f32> = (0..places)
            .map(|place| learner.weights(place)[head].abs())
            .collect();
        sizes.sort_by(f32::total_cmp);
        // A few weights beyond the rest would make the steps of all others coarse.
        sizes[places - 1 - places / 5000].max(1e-6) / f32::from(model::HIGHEST_LEVEL[head])
    });
    let mut buckets = vec![[None; BUCKET]; BUCKETS];
    for (place, kept) in layout.places.iter().enumerate() {
        if let Some((fingerprint, _)) = kept {
            let weights = learner.weights(place);
            let levels = std::array::from_fn(|head| model::level(head, weights[head] / step[head]));
            buckets[place / BUCKET][place % BUCKET] = Some((*fingerprint, levels));
        }
    }
    let cues: [PerHead<f32>; Cue::COUNT] = learner.cues();
    Table {
        header: Header {
            step,
            bias: learner.bias(),
            slope: [1.0; Head::COUNT],
            offset: [0.0; Head::COUNT],
            flag: [0.0; Head::COUNT],
            mask: [1.0; Head::COUNT],
            cues,
        },
        buckets,
    }
}
