//! Logistic regression by AdaGrad (Duchi et al. 2011), one thread, in a fixed order.

use clustertalk_moderation_wasm::features::cues::Cue;
use clustertalk_moderation_wasm::model::{Head, PerHead, length_scale};

use crate::examples::Examples;
use crate::random::Random;

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub epochs: usize,
    pub rate: f32,
    /// Of a weight, taken off with each line that has it.
    pub decay: f32,
    pub seed: u64,
    /// How far a source may be taken for abusive or clean as such, as a logit: what is so
    /// explained need not be explained by the subjects its people talk about.
    pub source: f32,
}

impl Settings {
    /// Of all words, from nothing.
    pub fn first(seed: u64) -> Settings {
        Settings {
            epochs: 8,
            rate: 0.1,
            decay: 1e-5,
            seed,
            source: 1.0,
        }
    }

    /// Of the words that were kept, from what was learned.
    pub fn second(seed: u64) -> Settings {
        Settings {
            epochs: 4,
            rate: 0.04,
            seed: seed + 1,
            ..Settings::first(seed)
        }
    }
}

/// A weight a head, and the sum of its squared gradients.
#[derive(Clone, Copy, Default)]
struct Row {
    weights: PerHead<f32>,
    squares: PerHead<f32>,
}

pub struct Learner {
    rows: Vec<Row>,
    cues: [Row; Cue::COUNT],
    bias: Row,
    /// Forgotten when all is learned: a text does not say where it is from.
    sources: Vec<Row>,
}

impl Learner {
    pub fn new(weights: impl Iterator<Item = PerHead<f32>>) -> Learner {
        let row = |weights| Row {
            weights,
            squares: [0.0; Head::COUNT],
        };
        Learner {
            rows: weights.map(row).collect(),
            cues: [Row::default(); Cue::COUNT],
            bias: Row::default(),
            sources: Vec::new(),
        }
    }

    pub fn weights(&self, row: usize) -> PerHead<f32> {
        self.rows[row].weights
    }

    pub fn cues(&self) -> [PerHead<f32>; Cue::COUNT] {
        self.cues.map(|row| row.weights)
    }

    pub fn bias(&self) -> PerHead<f32> {
        self.bias.weights
    }

    pub fn learn(&mut self, examples: &Examples, settings: &Settings) {
        self.sources = vec![Row::default(); examples.source_count()];
        let mut random = Random::new(settings.seed);
        let mut order: Vec<usize> = (0..examples.len()).collect();
        for epoch in 0..settings.epochs {
            random.shuffle(&mut order);
            let mut loss = 0.0;
            for &index in &order {
                loss += self.step(examples, index, settings);
            }
            eprintln!(
                "  epoch {}: loss {:.4}",
                epoch + 1,
                loss / examples.len() as f64
            );
        }
    }

    fn step(&mut self, examples: &Examples, index: usize, settings: &Settings) -> f64 {
        let features = examples.features(index);
        let cues = examples.cues[index];
        let scale = length_scale(features.len() as u32);

        let mut sums = [0.0_f32; Head::COUNT];
        for &feature in features {
            let weights = &self.rows[feature as usize].weights;
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        let mut logits = self.bias.weights;
        for cue in cues.numbers() {
            for (logit, weight) in logits.iter_mut().zip(&self.cues[cue].weights) {
                *logit += weight;
            }
        }
        let source = examples.sources[index];
        for (logit, weight) in logits.iter_mut().zip(self.sources[source].weights) {
            *logit += weight.clamp(-settings.source, settings.source);
        }
        let mut errors = [0.0_f32; Head::COUNT];
        let mut loss = 0.0;
        for head in 0..Head::COUNT {
            let lesson = examples.lessons[index][head];
            if lesson.weight == 0.0 {
                continue;
            }
            let logit = logits[head] + sums[head] * scale;
            let probability = 1.0 / (1.0 + libm::expf(-logit));
            let target = f32::from(u8::from(lesson.yes));
            errors[head] = lesson.weight * (probability - target);
            let right = if lesson.yes {
                probability
            } else {
                1.0 - probability
            };
            loss -= f64::from(lesson.weight) * f64::from(libm::logf(right.max(1e-7)));
        }

        let gradients = errors.map(|error| error * scale);
        for &feature in features {
            update(&mut self.rows[feature as usize], &gradients, settings);
        }
        for cue in cues.numbers() {
            update(&mut self.cues[cue], &errors, settings);
        }
        update(&mut self.bias, &errors, settings);
        update(&mut self.sources[source], &errors, settings);
        loss
    }
}

fn update(row: &mut Row, gradients: &PerHead<f32>, settings: &Settings) {
    let Row { weights, squares } = row;
    for ((weight, square), &gradient) in weights.iter_mut().zip(squares).zip(gradients) {
        // A head without a lesson stays as it is.
        if gradient == 0.0 {
            continue;
        }
        let gradient = gradient + settings.decay * *weight;
        *square += gradient * gradient;
        *weight -= settings.rate * gradient / (square.sqrt() + 1e-4);
    }
}
