//! A phrase as it is written in a rule: `you (are|re) ... a? {insult} $`.
//!
//! The build script shares this file, so that the built-in rules and those of a policy are read by
//! the same code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fold::{fold, is_spaceless};

/// Words that `...` may skip.
const GAP_WORDS: usize = 4;
/// Bounds the work at a word: see [`super`].
pub const LONGEST_PHRASE: usize = 16;
/// In letters; `normalise::reading` takes a word of twice as many for no word.
const LONGEST_WORD: usize = 32;
/// A run of three letters in a text is read as one or two.
const LONGEST_RUN: usize = 2;

/// A phrase of words `W`: texts of their own, or borrowed ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phrase<W> {
    pub parts: Vec<Part<W>>,
    /// Only at the beginning of a text.
    pub at_start: bool,
    /// Only at the end of a text.
    pub at_end: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part<W> {
    pub choice: Choice<W>,
    pub optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice<W> {
    /// One of these words or signs (`<link>`).
    OneOf(Vec<W>),
    Any,
}

impl<W: AsRef<str>> Phrase<W> {
    /// Its words, without the signs.
    pub fn words(&self) -> impl Iterator<Item = &W> {
        let choices = self.parts.iter().filter_map(|part| match &part.choice {
            Choice::OneOf(words) => Some(words),
            Choice::Any => None,
        });
        choices
            .flatten()
            .filter(|word| !word.as_ref().starts_with('<'))
    }
}

/// What stands for a token that is no word.
pub const LINK: &str = "<link>";
pub const PHISHING_LINK: &str = "<phishing-link>";
pub const NUMBER: &str = "<number>";

pub type Sets = BTreeMap<String, Vec<String>>;

/// Reads a phrase; `sets` are what `{name}` stands for.
///
/// # Errors
/// What is wrong with it, in words for whoever wrote it.
pub fn parse(phrase: &str, sets: &Sets) -> Result<Phrase<String>, String> {
    let mut written: Vec<&str> = phrase.split_whitespace().collect();
    let at_start = written.first() == Some(&"^");
    if at_start {
        written.remove(0);
    }
    let at_end = written.last() == Some(&"$");
    if at_end {
        written.pop();
    }

    let mut parts = Vec::new();
    for part in written {
        parse_part(part, sets, &mut parts)?;
    }
    match parts.first() {
        None => return Err("a phrase needs a word".to_owned()),
        Some(first) if first.optional => {
            return Err("a phrase begins with something that must be there".to_owned());
        }
        Some(_) => {}
    }
    if parts.len() > LONGEST_PHRASE {
        let length = parts.len();
        return Err(format!(
            "{length} words are too many: at most {LONGEST_PHRASE}"
        ));
    }
    Ok(Phrase {
        parts,
        at_start,
        at_end,
    })
}

fn parse_part(part: &str, sets: &Sets, parts: &mut Vec<Part<String>>) -> Result<(), String> {
    if part == "..." {
        parts.extend((0..GAP_WORDS).map(|_| Part {
            choice: Choice::Any,
            optional: true,
        }));
        return Ok(());
    }
    let (name, optional) = match part.strip_suffix('?') {
        Some(name) => (name, true),
        None => (part, false),
    };
    let choices = parse_choice(name, sets)?;
    parts.extend(choices.into_iter().map(|choice| Part { choice, optional }));
    Ok(())
}

/// `word`, `{set}`, `(word|{set}|<link>)`, or a phrase of a script without spaces.
fn parse_choice(name: &str, sets: &Sets) -> Result<Vec<Choice<String>>, String> {
    if let Some(choice) = name
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        let mut words = Vec::new();
        for word in choice.split('|') {
            words.extend(parse_word(word, sets)?);
        }
        return Ok(vec![Choice::OneOf(words)]);
    }
    if name.chars().any(is_spaceless) {
        let characters = name.chars().map(|c| parse_word(&c.to_string(), sets));
        return characters.map(|word| Ok(Choice::OneOf(word?))).collect();
    }
    Ok(vec![Choice::OneOf(parse_word(name, sets)?)])
}

fn parse_word(word: &str, sets: &Sets) -> Result<Vec<String>, String> {
    if let Some(set) = word
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        let words = sets.get(set).cloned();
        return words.ok_or_else(|| format!("there is no set `{set}` in [sets] of this file"));
    }
    check_word(word)?;
    Ok(vec![word.to_owned()])
}

/// A word must be written as the normaliser would leave it, or it would never be found.
///
/// # Errors
/// What is wrong with it.
pub fn check_word(word: &str) -> Result<(), String> {
    if [LINK, PHISHING_LINK, NUMBER].contains(&word) {
        return Ok(());
    }
    let folded = fold(word);
    let is_letter =
        |c: char| c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c);
    if word.is_empty() {
        return Err("a word is empty".to_owned());
    }
    if let Some(sign) = folded.chars().find(|&c| !is_letter(c)) {
        return Err(format!(
            "`{word}` has `{sign}`: a phrase is letters and digits, `don't` is `dont`, `anti-spam` is `anti spam`"
        ));
    }
    if folded != word {
        return Err(format!("`{word}` is found as `{folded}`: write it so"));
    }
    if word.chars().count() > 1 && word.chars().any(is_spaceless) {
        return Err(format!(
            "`{word}` is several words: its script has no spaces, so a choice cannot hold it"
        ));
    }
    let letters: Vec<char> = word.chars().collect();
    if letters.len() > LONGEST_WORD {
        return Err(format!("`{word}` is longer than {LONGEST_WORD} letters"));
    }
    let is_run = |run: &&[char]| run.len() > LONGEST_RUN && run[0].is_alphabetic();
    if letters.chunk_by(|a, b| a == b).any(|run| is_run(&run)) {
        return Err(format!(
            "`{word}` repeats a letter three times: write it twice or once"
        ));
    }
    if letters.len() > 1
        && letters
            .iter()
            .all(|&letter| letter == letters[0] && letter.is_alphabetic())
    {
        return Err(format!("`{word}` is one letter: write it once"));
    }
    Ok(())
}
