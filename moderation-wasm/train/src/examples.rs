//! Lines as the learner takes them: features, and what is true of each head.

use clustertalk_moderation_wasm::features::{self, cues::Cues};
use clustertalk_moderation_wasm::model::{Head, PerHead};
use clustertalk_moderation_wasm::normalise::normalise;
use clustertalk_moderation_wasm::rules;

use crate::data::Line;
use crate::sources::{self, Truth};

/// How much a line of the templates counts, and a label that was guessed.
const TEMPLATE_WEIGHT: f32 = 0.5;
const WEAK_WEIGHT: f32 = 0.4;

/// How much more a line counts that has the label: the fewer have it, the more.
const POSITIVE_WEIGHT: PerHead<f32> = [1.0, 1.5, 4.0, 4.0, 3.0];

/// What a line teaches a head.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    pub yes: bool,
    /// 0.0 for what is left open.
    pub weight: f32,
}

#[derive(Default)]
pub struct Examples {
    /// The features of all lines, one line after the other.
    features: Vec<u32>,
    ends: Vec<usize>,
    pub cues: Vec<Cues>,
    /// By line, the number of its source.
    pub sources: Vec<usize>,
    source_names: Vec<String>,
    pub lessons: Vec<PerHead<Lesson>>,
}

impl Examples {
    pub fn push(&mut self, text: &str, line: &Line) {
        let normalised = normalise(text);
        features::words(text, &normalised, |_, hash| self.features.push(hash));
        self.ends.push(self.features.len());
        let source = self.source(&line.source);
        self.sources.push(source);
        self.cues.push(features::cues::cues(
            text,
            &normalised,
            &rules::findings(&normalised.tokens),
        ));
        self.lessons.push(Head::ALL.map(|head| lesson(line, head)));
    }

    fn source(&mut self, name: &str) -> usize {
        let known = self.source_names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.source_names.push(name.to_owned());
            self.source_names.len() - 1
        })
    }

    pub fn source_count(&self) -> usize {
        self.source_names.len()
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn features(&self, index: usize) -> &[u32] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.features[start..self.ends[index]]
    }

    pub fn all_features(&self) -> &[u32] {
        &self.features
    }

    /// The same lines with other numbers for their features; what has none is left out.
    pub fn renumbered(&self, number: impl Fn(u32) -> Option<u32>) -> Examples {
        let mut features = Vec::with_capacity(self.features.len());
        let mut ends = Vec::with_capacity(self.ends.len());
        for index in 0..self.len() {
            features.extend(
                self.features(index)
                    .iter()
                    .filter_map(|&feature| number(feature)),
            );
            ends.push(features.len());
        }
        Examples {
            features,
            ends,
            cues: self.cues.clone(),
            sources: self.sources.clone(),
            source_names: self.source_names.clone(),
            lessons: self.lessons.clone(),
        }
    }
}

fn lesson(line: &Line, head: Head) -> Lesson {
    let source = sources::find(&line.source);
    let base = match source.name == "own" {
        true => TEMPLATE_WEIGHT,
        false => source.weight,
    };
    let guessed = line.weak.split(',').any(|name| name == head.name());
    match sources::truth(source, &line.labels, head) {
        Truth::Yes => Lesson {
            yes: true,
            weight: base * POSITIVE_WEIGHT[head as usize],
        },
        Truth::No => Lesson {
            yes: false,
            weight: base,
        },
        Truth::Open if guessed => Lesson {
            yes: true,
            weight: base * WEAK_WEIGHT,
        },
        Truth::Open => Lesson {
            yes: false,
            weight: 0.0,
        },
    }
}
