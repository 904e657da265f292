//! Undoes what people do to a word to hide it, so that rules are written in plain words.
//!
//! The normal form of a text is its words, folded, with one space between them. Several tricks
//! can only be undone by guessing (`a55`, `1ove`, `spaaaam`, `cúm`), and a guess that is wrong
//! would judge a word nobody wrote: such a reading counts only if it is a word of the rules.
//!
//! 1. [`fold`]: case, compatibility forms, invisible characters, stray marks.
//! 2. [`split`]: links and words.
//! 3. [`spacing`]: `s p a m`, `s.p.a.m`, `s-p-a-m` become one word.
//! 4. [`reading`]: each word is read as a word of the rules, if it can be.
//!
//! Every step is linear in the text, and the normal form of a normal form is itself.

pub mod fold;
pub mod letters;
mod reading;
mod spacing;
mod split;
mod vocabulary;
pub mod words;

use crate::hash;
use reading::Reading;
use split::{Link, Piece};
pub use vocabulary::{Vocabulary, WordId};

/// What a rule sees of one word of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word that some rule knows.
    Word(WordId),
    /// A word that begins with a digit.
    Number,
    /// Any other word.
    Other,
    /// An address on the web.
    Link,
    /// An address at a domain known for phishing.
    PhishingLink,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalised {
    /// The words with one space between them; a link is `http://` and its host.
    pub text: String,
    pub tokens: Vec<Token>,
    /// Words that may be others in disguise (`b!tch`), as letters, beside what they are in `text`.
    pub disguised: Vec<String>,
}

impl Normalised {
    /// The hosts of its links.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let words = self.text.split(' ').zip(&self.tokens);
        words
            .filter(|(_, token)| matches!(token, Token::Link | Token::PhishingLink))
            .map(|(word, _)| word.trim_start_matches("http://"))
    }
}

/// With the words of the built-in rules.
pub fn normalise(text: &str) -> Normalised {
    normalise_with(Vocabulary::built_in(), text)
}

pub fn normalise_with(vocabulary: &Vocabulary, text: &str) -> Normalised {
    let folded = fold::fold(text);
    let split = split::split(vocabulary, &folded);
    let pieces = spacing::join_spaced_letters(vocabulary, split.pieces);

    let mut normalised = Normalised {
        text: String::with_capacity(folded.len()),
        tokens: Vec::with_capacity(pieces.len()),
        disguised: split.disguised,
    };
    for piece in &pieces {
        if !normalised.text.is_empty() {
            normalised.text.push(' ');
        }
        let token = match piece {
            Piece::Link(link) => write_link(link, &mut normalised.text),
            Piece::Word(word) => write_word(vocabulary, word.text.as_ref(), &mut normalised.text),
        };
        normalised.tokens.push(token);
    }
    normalised
}

/// A text without the links to some hosts.
pub fn without_links(text: &str, is_left_out: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    for field in text.split_inclusive(char::is_whitespace) {
        let folded = fold::fold(field);
        match split::only_link(folded.trim_end()) {
            Some((before, host)) if is_left_out(host) => {
                kept += &folded[..before];
                kept.push(' ');
            }
            _ => kept += field,
        }
    }
    kept
}

fn write_link(link: &Link<'_>, text: &mut String) -> Token {
    text.push_str("http://");
    text.push_str(link.host);
    match link.phishing {
        true => Token::PhishingLink,
        false => Token::Link,
    }
}

fn write_word(vocabulary: &Vocabulary, word: &str, text: &mut String) -> Token {
    match reading::read(vocabulary, word) {
        Reading::Known(id) => {
            text.push_str(vocabulary.word(id));
            Token::Word(id)
        }
        Reading::Unknown => {
            reading::push_without_long_runs(word, text);
            match word.starts_with(char::is_numeric) {
                true => Token::Number,
                false => Token::Other,
            }
        }
    }
}
