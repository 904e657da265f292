//! Reads a folded word as a word of the rules, if it can be.

use super::fold::without_marks;
use super::vocabulary::{STRETCHED_RUN, Vocabulary, WordId, runs};

include!(concat!(env!("OUT_DIR"), "/characters.rs"));

/// Runs of letters in a word: no word of the rules is half as long, so a longer one is read as
/// itself. It bounds the work for a text that is a single word.
const LONGEST_DISGUISE: usize = 64;

pub enum Reading {
    Known(WordId),
    Unknown,
}

/// A word without leet symbols, as [`super::split`] gives it.
pub fn read(vocabulary: &Vocabulary, word: &str) -> Reading {
    if is_too_long(word) {
        return Reading::Unknown;
    }
    let known = vocabulary
        .find(word)
        .or_else(|| read_plain_latin(vocabulary, word))
        .or_else(|| read_leet(vocabulary, word));
    known.map_or(Reading::Unknown, Reading::Known)
}

/// A chunk of letters, digits and leet symbols as one word (`$pam`, `5p@m`), if it reads as one.
pub fn read_leet(vocabulary: &Vocabulary, chunk: &str) -> Option<WordId> {
    if is_too_long(chunk) {
        return None;
    }
    let mut letters_and_symbols = 0;
    let mut digits = 0;
    let mut has_letter = false;
    for c in chunk.chars() {
        match c.is_ascii_digit() {
            true => digits += 1,
            false => letters_and_symbols += 1,
        }
        has_letter |= c.is_alphabetic();
    }
    // `a55` and `4x4` are names of things; a symbol within a word is there on purpose.
    let reads_as_word = has_letter && digits <= letters_and_symbols;
    if !reads_as_word || chunk.chars().all(char::is_alphabetic) {
        return None;
    }
    let spelled = |choose: fn(&Leet) -> char| -> String {
        let letter = |c| leet(c).map_or_else(|| plain_latin(c), choose);
        chunk.chars().map(letter).collect()
    };
    find_word(vocabulary, &spelled(|leet| leet.first))
        .or_else(|| find_word(vocabulary, &spelled(|leet| leet.last)))
}

/// Whether a symbol, not a letter or digit, can stand for a letter.
pub fn is_leet_symbol(c: char) -> bool {
    !c.is_alphanumeric() && leet(c).is_some()
}

/// The letter that a digit or symbol most often stands for, else itself.
pub fn likeliest_letter(c: char) -> char {
    leet(c).map_or(c, |leet| leet.first)
}

/// Other scripts' letters become the Latin ones they look like, if the word has Latin letters
/// too; a word in one script is left as it is.
pub fn without_lookalikes(word: &str) -> Option<String> {
    let is_mixed = !word.is_ascii()
        && word.chars().any(is_latin)
        && word.chars().any(|c| lookup(&MIXED_LOOKALIKES, c).is_some());
    is_mixed.then(|| {
        word.chars()
            .map(|c| lookup(&MIXED_LOOKALIKES, c).unwrap_or(c))
            .collect()
    })
}

/// Runs longer than two letters are cut to two; digits are left alone.
pub fn push_without_long_runs(word: &str, text: &mut String) {
    for (letter, length) in runs(word) {
        let kept = match letter.is_alphabetic() {
            true => length.min(STRETCHED_RUN - 1),
            false => length,
        };
        text.extend(std::iter::repeat_n(letter, kept));
    }
}

/// Without marks and with Latin lookalikes (`ı`, small capitals) made plain.
fn read_plain_latin(vocabulary: &Vocabulary, word: &str) -> Option<WordId> {
    if word.is_ascii() {
        return None;
    }
    find_word(
        vocabulary,
        &word.chars().map(plain_latin).collect::<String>(),
    )
}

/// A guess must be worth it: at least two different letters.
fn find_word(vocabulary: &Vocabulary, spelling: &str) -> Option<WordId> {
    let is_word = runs(spelling).nth(1).is_some();
    is_word.then(|| vocabulary.find(spelling)).flatten()
}

fn is_too_long(word: &str) -> bool {
    runs(word).nth(LONGEST_DISGUISE).is_some()
}

pub fn plain_latin(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let base = without_marks(c);
    lookup(&LATIN_LOOKALIKES, base).unwrap_or(base)
}

pub fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// The letters that a digit or symbol stands for; most have one.
struct Leet {
    sign: char,
    first: char,
    last: char,
}

fn leet(c: char) -> Option<&'static Leet> {
    let index = LEET.binary_search_by_key(&c, |leet| leet.sign).ok()?;
    Some(&LEET[index])
}

fn lookup(table: &[(char, char)], c: char) -> Option<char> {
    let index = table.binary_search_by_key(&c, |&(from, _)| from).ok()?;
    Some(table[index].1)
}
