//! The words that rules know: the built-in ones, and those of a policy.

use super::words::WordList;
pub use super::words::{STRETCHED_RUN, runs};

include!(concat!(env!("OUT_DIR"), "/vocabulary.rs"));

/// A number of a word that some rule knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WordId(pub u16);

/// All words that rules know: those of the built-in rules come first.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    own: WordList,
}

static BUILT_IN_ONLY: Vocabulary = Vocabulary {
    own: WordList::empty(),
};

impl Vocabulary {
    /// That of the built-in rules.
    pub fn built_in() -> &'static Vocabulary {
        &BUILT_IN_ONLY
    }

    /// With words of a policy beside the built-in ones. One that is there twice is found once.
    pub fn with(words: impl Iterator<Item = &'static str>) -> Vocabulary {
        let own: Vec<&str> = words
            .filter(|word| BUILT_IN.find_exactly(word).is_none())
            .collect();
        Vocabulary {
            own: WordList::build(own.into_iter()),
        }
    }

    /// How many there are: one more than the highest number.
    pub fn len(&self) -> u16 {
        (BUILT_IN.words.len() + self.own.words.len()) as u16
    }

    pub fn word(&self, id: WordId) -> &'static str {
        let index = usize::from(id.0);
        match index.checked_sub(BUILT_IN.words.len()) {
            None => BUILT_IN.words[index],
            Some(index) => self.own.words[index],
        }
    }

    /// The word that is spelled so, letter by letter or stretched (`spaaaam`).
    pub fn find(&self, spelling: &str) -> Option<WordId> {
        let found = BUILT_IN.find(spelling).map(WordId);
        if self.own.words.is_empty() {
            return found;
        }
        // A word as it stands is meant before one that is stretched.
        let exact = found.filter(|&id| self.word(id) == spelling);
        exact
            .or_else(|| self.own.find(spelling).map(own_id))
            .or(found)
    }

    /// The word that is spelled so, letter by letter.
    pub fn find_exactly(&self, spelling: &str) -> Option<WordId> {
        let built_in = BUILT_IN.find_exactly(spelling).map(WordId);
        built_in.or_else(|| self.own.find_exactly(spelling).map(own_id))
    }
}

fn own_id(index: u16) -> WordId {
    WordId(BUILT_IN.words.len() as u16 + index)
}
