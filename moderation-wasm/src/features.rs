//! What the model sees of a text; the trainer uses this very code, so both see the same.
//!
//! *Words* are hashed: each word, each pair of words, and each run of three to five letters within
//! a word, so that a word nobody has seen is still like those it resembles; and each emoji. *Cues* are the few
//! things beside words that tell spam from talk: see [`cues`].

pub mod cues;
mod hosts;

use crate::normalise::{Normalised, Token, fold, letters};

/// Stands for the beginning and the end of a word.
const EDGE: u32 = 0x20;

/// The runs of letters that are looked at.
const SHORTEST_RUN: usize = 3;
const LONGEST_RUN: usize = 5;

/// What a hash is of, so that equal spellings of two kinds differ.
#[derive(Clone, Copy)]
enum Kind {
    Word = 1,
    Exact = 2,
    Pair = 3,
    Triple = 4,
    Run = 5,
    Number = 6,
    Host = 7,
    Gap = 8,
    Emoji = 9,
}

/// Calls `each` with the index of a word and the hash of one of its features, in the order of the
/// text. At most four features a letter and five a word, and time linear in the text.
pub fn words(text: &str, normalised: &Normalised, mut each: impl FnMut(usize, u32)) {
    let mut before = Before::default();
    let words = normalised.text.split(' ').zip(&normalised.tokens);
    for (index, (word, token)) in words.enumerate() {
        let mut each = |hash| each(index, hash);
        let hash = match token {
            Token::Link | Token::PhishingLink => host(word, &mut each),
            Token::Number => number(word, &mut each),
            Token::Word(_) | Token::Other => spelled(word, &mut each),
        };
        before.follow(hash, is_spaceless(word), &mut each);
    }
    let last = normalised.tokens.len().saturating_sub(1);
    for word in &normalised.disguised {
        spelled(word, &mut |hash| each(last, hash));
    }
    emoji(text, |hash| each(last, hash));
}

/// Emoji, which are no words of the normal form, and those that stand side by side.
fn emoji(text: &str, mut each: impl FnMut(u32)) {
    if text.is_ascii() {
        return;
    }
    let mut before = None;
    for c in text.chars() {
        if is_emoji(c) {
            let hash = step(0, c as u32);
            each(finish(hash, Kind::Emoji));
            if let Some(before) = before {
                each(finish(step(before, c as u32), Kind::Emoji));
            }
            before = Some(hash);
        } else if c != '\u{fe0f}' {
            before = None;
        }
    }
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f300}'..='\u{1faff}')
}

/// The hashes of the words before this one, nearest first.
#[derive(Default)]
struct Before {
    first: Option<u32>,
    second: Option<u32>,
    spaceless: bool,
}

impl Before {
    fn follow(&mut self, hash: u32, spaceless: bool, each: &mut impl FnMut(u32)) {
        if let Some(first) = self.first {
            each(finish(step(first, hash), Kind::Pair));
            if let Some(second) = self.second {
                match spaceless && self.spaceless {
                    true => each(finish(step(step(second, first), hash), Kind::Triple)),
                    false => each(finish(step(second, hash), Kind::Gap)),
                }
            }
        }
        self.second = self.first;
        self.first = Some(hash);
        self.spaceless = spaceless;
    }
}

fn is_spaceless(word: &str) -> bool {
    word.chars().next().is_some_and(fold::is_spaceless)
}

/// A word by its letters: `b1tch` is `bitch`, and a letter that is doubled counts once, since
/// whoever stretches words stretches any of their letters.
fn spelled(word: &str, each: &mut impl FnMut(u32)) -> u32 {
    let mut runs = Runs::default();
    let mut whole = step(0, EDGE);
    let mut exact = 0;
    let mut before = EDGE;
    let mut doubled = false;
    let may_be_digits = letters::has_letter(word);
    for c in word.chars() {
        let c = match may_be_digits {
            true => letters::plain(c),
            false => c,
        } as u32;
        exact = step(exact, c);
        if c == before {
            doubled = true;
        } else {
            whole = step(whole, c);
            runs.push(c, each);
        }
        before = c;
    }
    whole = step(whole, EDGE);
    runs.push(EDGE, each);
    runs.end(each);
    each(finish(whole, Kind::Word));
    if doubled {
        each(finish(exact, Kind::Exact));
    }
    whole
}

/// The letters of a word as they come by, and the runs of them.
struct Runs {
    letters: [u32; Runs::KEPT],
    length: usize,
    shortest: usize,
}

impl Default for Runs {
    fn default() -> Runs {
        let mut letters = [0; Runs::KEPT];
        letters[0] = EDGE;
        Runs {
            letters,
            length: 1,
            shortest: SHORTEST_RUN,
        }
    }
}

impl Runs {
    /// Letters that are kept until their runs are looked at; most words have fewer.
    const KEPT: usize = 32;

    fn push(&mut self, letter: u32, each: &mut impl FnMut(u32)) {
        if self.length == Runs::KEPT {
            // The last letters begin runs that go on.
            let whole = Runs::KEPT - (LONGEST_RUN - 1);
            self.look(whole, each);
            self.letters.copy_within(whole.., 0);
            self.length = LONGEST_RUN - 1;
        }
        self.letters[self.length] = letter;
        self.length += 1;
        if letter > 0x7f {
            // Scripts with more letters need fewer of them to tell words apart.
            self.shortest = SHORTEST_RUN - 1;
        }
    }

    fn end(&self, each: &mut impl FnMut(u32)) {
        self.look(self.length, each);
    }

    /// The runs that begin at the first letters.
    fn look(&self, beginnings: usize, each: &mut impl FnMut(u32)) {
        for start in 0..beginnings {
            let end = self.length.min(start + LONGEST_RUN);
            let mut hash = 0;
            for (index, &letter) in self.letters[start..end].iter().enumerate() {
                hash = step(hash, letter);
                if index + 1 >= self.shortest {
                    each(finish(hash, Kind::Run));
                }
            }
        }
    }
}

/// A number by how long it is, and what is written to it: `500k`, `10am`.
fn number(word: &str, each: &mut impl FnMut(u32)) -> u32 {
    let mut shape = 0;
    for c in word.chars().take(12) {
        let c = match c.is_numeric() {
            true => '0',
            false => c,
        };
        shape = step(shape, c as u32);
    }
    let shape = finish(shape, Kind::Number);
    each(shape);
    if word.chars().any(char::is_alphabetic) {
        spelled(word, each);
    }
    shape
}

/// A link by the labels of its host. Which host it is counts little: it is another tomorrow.
fn host(link: &str, each: &mut impl FnMut(u32)) -> u32 {
    let host = link.strip_prefix("http://").unwrap_or(link);
    let labels = host.split(['.', '-']).take(LONGEST_RUN);
    for label in labels.filter(|label| label.len() > 1) {
        let hash = label.chars().fold(0, |hash, c| step(hash, c as u32));
        each(finish(hash, Kind::Host));
    }
    finish(0, Kind::Host)
}

fn step(hash: u32, part: u32) -> u32 {
    (hash.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b1)
}

/// Spreads the bits (the finaliser of MurmurHash3): places and fingerprints are parts of a hash.
fn finish(hash: u32, kind: Kind) -> u32 {
    let mut hash = hash ^ (kind as u32).wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::normalise;

    fn hashes(text: &str) -> Vec<u32> {
        let mut hashes = Vec::new();
        words(text, &normalise(text), |_, hash| hashes.push(hash));
        hashes
    }

    #[test]
    fn disguises_of_a_word_no_rule_knows_have_its_features() {
        // Whatever else they have.
        let plain = hashes("wombat");
        for disguise in [
            "WOMBAT",
            "w0mb4t",
            "wo\u{200b}mbat",
            "wömbát",
            "wоmbat",
            "w o m b a t",
        ] {
            assert_eq!(hashes(disguise), plain, "{disguise}");
        }
        // A symbol may be a letter or not: both are seen.
        let both = hashes("w@mbat w!mbat");
        assert!(
            hashes("wambat wimbat")
                .iter()
                .any(|hash| both.contains(hash))
        );
    }

    #[test]
    fn a_word_longer_than_is_kept_has_all_its_runs() {
        // Each letter beyond the first few adds its three runs, wherever it stands.
        let letters: String = ('a'..='z').cycle().take(100).collect();
        let added =
            |length: usize| hashes(&letters[..length + 1]).len() - hashes(&letters[..length]).len();
        assert!((10..99).all(|length| added(length) == 3));
    }

    #[test]
    fn equal_words_at_other_places_have_other_pairs() {
        assert_ne!(hashes("dog bites man"), hashes("man bites dog"));
    }
}
