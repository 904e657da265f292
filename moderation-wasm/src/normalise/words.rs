//! Lists of words, and which of them a written word stands for.
//!
//! The build script shares this file and prints the list of the built-in rules as Rust.

use std::borrow::Cow;

use super::hash;

/// A run of at least this many equal letters is a stretched one: it may stand for one or two.
pub const STRETCHED_RUN: usize = 3;

/// What 16 bits number; more words share places.
const MOST_PLACES: usize = 1 << 15;

/// Words, by the hash of their letters with each run of equal ones taken once.
#[derive(Clone, Debug)]
pub struct WordList {
    /// A power of two; the words of place `p` are `words[starts[p]..starts[p + 1]]`.
    pub places: usize,
    pub starts: Cow<'static, [u16]>,
    pub words: Cow<'static, [&'static str]>,
}

impl WordList {
    /// A list without a word.
    pub const fn empty() -> WordList {
        WordList {
            places: 1,
            starts: Cow::Borrowed(&[0, 0]),
            words: Cow::Borrowed(&[]),
        }
    }

    /// A list of at most 65,000 different words.
    pub fn build(words: impl ExactSizeIterator<Item = &'static str>) -> WordList {
        // About two places a word, so that most places hold one or none.
        let places = (2 * words.len()).next_power_of_two().min(MOST_PLACES);
        let placed = words.map(|word| (place(word, places) as u16, word));
        let (starts, words) = by_place(places, placed.collect());
        WordList {
            places,
            starts: starts.into(),
            words: words.into(),
        }
    }

    /// The word that is spelled so, letter by letter or stretched (`spaaaam`).
    pub fn find(&self, spelling: &str) -> Option<u16> {
        let mut stretched = None;
        for index in self.candidates(spelling) {
            let word = self.words[usize::from(index)];
            if word == spelling {
                return Some(index);
            }
            if stretched.is_none() && is_stretched(spelling, word) {
                stretched = Some(index);
            }
        }
        stretched
    }

    /// The word that is spelled so, letter by letter.
    pub fn find_exactly(&self, spelling: &str) -> Option<u16> {
        self.candidates(spelling)
            .find(|&index| self.words[usize::from(index)] == spelling)
    }

    fn candidates(&self, spelling: &str) -> std::ops::Range<u16> {
        let place = place(spelling, self.places);
        self.starts[place]..self.starts[place + 1]
    }
}

/// Items in the order of their places, which are below `places`, and those of one place as they came;
/// and where each place begins.
pub fn by_place<T: Copy>(places: usize, items: Vec<(u16, T)>) -> (Vec<u16>, Vec<T>) {
    let mut starts = vec![0; places + 1];
    for (place, _) in &items {
        starts[usize::from(*place) + 1] += 1;
    }
    for place in 0..places {
        starts[place + 1] += starts[place];
    }
    let mut next = starts.clone();
    let mut sorted: Vec<T> = items.iter().map(|(_, item)| *item).collect();
    for (place, item) in items {
        let at = &mut next[usize::from(place)];
        sorted[usize::from(*at)] = item;
        *at += 1;
    }
    (starts, sorted)
}

fn place(word: &str, places: usize) -> usize {
    hash::place(runs(word).map(|(letter, _)| letter), places)
}

fn is_stretched(spelling: &str, word: &str) -> bool {
    let mut written = runs(spelling);
    let mut meant = runs(word);
    loop {
        match (written.next(), meant.next()) {
            (None, None) => return true,
            (Some(written), Some(meant)) if written == meant => {}
            (Some((letter, length)), Some(meant))
                if letter == meant.0 && length >= STRETCHED_RUN => {}
            _ => return false,
        }
    }
}

/// Each letter with the number of times it stands in a row.
pub fn runs(word: &str) -> impl Iterator<Item = (char, usize)> {
    let mut letters = word.chars().peekable();
    std::iter::from_fn(move || {
        let letter = letters.next()?;
        let mut length = 1;
        while letters.next_if_eq(&letter).is_some() {
            length += 1;
        }
        Some((letter, length))
    })
}
