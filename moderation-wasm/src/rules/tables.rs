//! Phrases as tables that a text can be led through: see [`super`].
//!
//! The build script shares this file and prints the tables of the built-in rules as Rust.

use std::borrow::Cow;

use super::phrase::{self, Choice, Phrase};
use super::words::by_place;

/// The numbers by which phrases know what is no word; those of words follow.
pub const LINK: u16 = 0;
pub const PHISHING_LINK: u16 = 1;
pub const NUMBER: u16 = 2;
pub const FIRST_WORD: u16 = 3;

/// A phrase: `elements[first..end]`.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub rule: u16,
    /// An exception: what it covers is no hit of the rule.
    pub excuses: bool,
    pub first: u16,
    pub end: u16,
    /// Only at the beginning of the text.
    pub at_start: bool,
    /// Only at the end of the text.
    pub at_end: bool,
}

#[derive(Clone, Debug)]
pub struct Element {
    pub test: Test,
    pub optional: bool,
}

#[derive(Clone, Debug)]
pub enum Test {
    /// One of `choices[first..end]`, sorted.
    OneOf {
        first: u32,
        end: u32,
    },
    Any,
}

#[derive(Clone, Debug)]
pub struct Tables {
    pub patterns: Cow<'static, [Pattern]>,
    pub elements: Cow<'static, [Element]>,
    pub choices: Cow<'static, [u16]>,
    /// The patterns that begin with sign `s` are `starting[starts[s]..starts[s + 1]]`.
    pub starts: Cow<'static, [u16]>,
    pub starting: Cow<'static, [u16]>,
}

/// More phrases or words than the tables' numbers go to.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany;

impl Tables {
    /// `phrases` are each of a rule, and whether they are exceptions; `signs` is one more than the
    /// highest number that `number_of` gives for a word.
    ///
    /// # Errors
    /// There are more than 65,000 of something.
    pub fn build<'a, W: AsRef<str> + 'a>(
        phrases: impl IntoIterator<Item = (u16, bool, &'a Phrase<W>)>,
        signs: u16,
        number_of: impl Fn(&str) -> u16,
    ) -> Result<Tables, TooMany> {
        let mut patterns = Vec::new();
        let mut elements = Vec::new();
        let mut choices = Vec::new();
        let mut starts = Vec::new();
        for (rule, excuses, phrase) in phrases {
            let first = number(elements.len())?;
            for (index, part) in phrase.parts.iter().enumerate() {
                let test = match &part.choice {
                    Choice::Any => Test::Any,
                    Choice::OneOf(words) => {
                        let numbers = numbers(words, &number_of);
                        // `...` is optional, so no phrase begins with it.
                        if index == 0 {
                            let pattern = number(patterns.len())?;
                            starts.extend(numbers.iter().map(|&sign| (sign, pattern)));
                        }
                        let first = choices.len() as u32;
                        choices.extend(numbers);
                        Test::OneOf {
                            first,
                            end: choices.len() as u32,
                        }
                    }
                };
                elements.push(Element {
                    test,
                    optional: part.optional,
                });
            }
            patterns.push(Pattern {
                rule,
                excuses,
                first,
                end: number(elements.len())?,
                at_start: phrase.at_start,
                at_end: phrase.at_end,
            });
        }
        number(starts.len())?;
        let (starts, starting) = by_place(usize::from(signs), starts);
        Ok(Tables {
            patterns: patterns.into(),
            elements: elements.into(),
            choices: choices.into(),
            starts: starts.into(),
            starting: starting.into(),
        })
    }

    /// Tables without a phrase.
    pub const fn empty() -> Tables {
        Tables {
            patterns: Cow::Borrowed(&[]),
            elements: Cow::Borrowed(&[]),
            choices: Cow::Borrowed(&[]),
            starts: Cow::Borrowed(&[]),
            starting: Cow::Borrowed(&[]),
        }
    }

    /// The patterns that begin with a sign; none with a word that only other tables know.
    pub fn starting_with(&self, sign: u16) -> &[u16] {
        match self.starts.get(usize::from(sign)..) {
            Some([first, end, ..]) => &self.starting[usize::from(*first)..usize::from(*end)],
            _ => &[],
        }
    }
}

/// The numbers of words, sorted, each once.
fn numbers<W: AsRef<str>>(words: &[W], number_of: &impl Fn(&str) -> u16) -> Vec<u16> {
    let mut numbers = Vec::with_capacity(words.len());
    for word in words {
        let number = match word.as_ref() {
            phrase::LINK => LINK,
            phrase::PHISHING_LINK => PHISHING_LINK,
            phrase::NUMBER => NUMBER,
            word => number_of(word),
        };
        if let Err(place) = numbers.binary_search(&number) {
            numbers.insert(place, number);
        }
    }
    numbers
}

fn number(index: usize) -> Result<u16, TooMany> {
    u16::try_from(index).map_err(|_| TooMany)
}
