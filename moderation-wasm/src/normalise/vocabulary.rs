//! The words that the rules know, and which of them a written word stands for.

use crate::hash;

include!(concat!(env!("OUT_DIR"), "/vocabulary.rs"));

/// A number of a word in the vocabulary, which is sorted by [`hash::place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WordId(pub u16);

/// A run of at least this many equal letters is a stretched one: it may stand for one or two.
pub const STRETCHED_RUN: usize = 3;

pub fn word(id: WordId) -> &'static str {
    VOCABULARY[usize::from(id.0)]
}

/// The word that is spelled so, letter by letter or stretched (`spaaaam`).
pub fn find(spelling: &str) -> Option<WordId> {
    let place = hash::place(squeezed(spelling), PLACES);
    let mut stretched = None;
    for id in STARTS[place]..STARTS[place + 1] {
        let word = VOCABULARY[usize::from(id)];
        if word == spelling {
            return Some(WordId(id));
        }
        if stretched.is_none() && is_stretched(spelling, word) {
            stretched = Some(WordId(id));
        }
    }
    stretched
}

/// The letters with each run of equal ones taken once.
fn squeezed(word: &str) -> impl Iterator<Item = char> {
    runs(word).map(|(letter, _)| letter)
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
