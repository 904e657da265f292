//! Finds the rules' phrases in the words of a text.
//!
//! The build script compiles `rules/*.toml` into tables; the rules of a policy are made into the
//! same when it is read. All phrases are followed at once, word
//! by word (Thompson's construction): a text costs at most its words times the rules' elements,
//! whatever it says, and no text can make it go back. Matching whole words rather than
//! substrings is what leaves `Scunthorpe` alone.

pub mod phrase;
pub mod tables;

use crate::normalise::{Token, WordId, fold, words};
use crate::verdict::{Finding, Label};
use phrase::LONGEST_PHRASE;
use std::borrow::Cow;
use tables::Test::{Any, OneOf};
use tables::{Element, FIRST_WORD, LINK, NUMBER, PHISHING_LINK, Pattern, Tables, Test};

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

struct Rule {
    name: &'static str,
    language: Option<&'static str>,
    label: Label,
    score: f32,
}

/// What the built-in rules find in a text, in the order of the rules, each rule once.
pub fn findings(tokens: &[Token]) -> Vec<Finding> {
    let mut found = [false; RULES.len()];
    for span in spans(&TABLES, tokens) {
        found[usize::from(span.rule)] = true;
    }
    let found = RULES.iter().zip(found).filter(|(_, found)| *found);
    found
        .map(|(rule, _)| Finding::of_built_in(rule.name, rule.label, rule.score))
        .collect()
}

/// Where the rules of the tables were found, in the order of their last words.
pub fn spans(tables: &Tables, tokens: &[Token]) -> impl Iterator<Item = Span> {
    let (hits, excuses) = Matcher::new(tables).run(tokens);
    hits.into_iter()
        .filter(move |hit| !is_excused(hit, &excuses))
}

/// Every built-in rule by its name.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// The built-in rules that are lists of words in another language than English, with its name.
pub fn languages() -> impl Iterator<Item = (&'static str, &'static str)> {
    let languages = RULES.iter().map(|rule| (rule.name, rule.language));
    languages.filter_map(|(name, language)| Some((name, language?)))
}

/// Where a phrase of a rule was found: the tokens `first..=last`.
pub struct Span {
    pub rule: u16,
    pub first: usize,
    pub last: usize,
}

/// Whether an exception of the same rule covers one of the hit's words. Both lists are sorted by
/// their last token, and no phrase is longer than `LONGEST_PHRASE`, so only a few are looked at.
fn is_excused(hit: &Span, excuses: &[Span]) -> bool {
    let near = excuses.partition_point(|excuse| excuse.last < hit.first);
    excuses[near..]
        .iter()
        .take_while(|excuse| excuse.last < hit.last + LONGEST_PHRASE)
        .any(|excuse| excuse.rule == hit.rule && excuse.first <= hit.last)
}

/// A phrase that has been followed up to an element, which the next token has to pass.
#[derive(Clone, Copy)]
struct Thread {
    pattern: u16,
    element: u16,
    first: usize,
}

struct Matcher<'t> {
    tables: &'t Tables,
    threads: Vec<Thread>,
    next: Vec<Thread>,
    /// By element: the token after which a thread was last put there, plus one.
    reached: Vec<usize>,
    hits: Vec<Span>,
    excuses: Vec<Span>,
}

impl<'t> Matcher<'t> {
    fn new(tables: &'t Tables) -> Matcher<'t> {
        Matcher {
            tables,
            threads: Vec::new(),
            next: Vec::new(),
            reached: vec![0; tables.elements.len()],
            hits: Vec::new(),
            excuses: Vec::new(),
        }
    }

    /// The hits and the exceptions, each sorted by their last token.
    fn run(mut self, tokens: &[Token]) -> (Vec<Span>, Vec<Span>) {
        for (index, &token) in tokens.iter().enumerate() {
            let is_last = index + 1 == tokens.len();
            let mut threads = std::mem::take(&mut self.threads);
            for thread in threads.drain(..) {
                if self.passes(token, thread.element) {
                    self.advance(thread, index, is_last);
                }
            }
            let tables = self.tables;
            for &pattern in signs(token).flat_map(|sign| tables.starting_with(sign)) {
                let Pattern {
                    first, at_start, ..
                } = tables.patterns[usize::from(pattern)];
                if index == 0 || !at_start {
                    let thread = Thread {
                        pattern,
                        element: first,
                        first: index,
                    };
                    self.advance(thread, index, is_last);
                }
            }
            self.threads = std::mem::replace(&mut self.next, threads);
        }
        (self.hits, self.excuses)
    }

    /// The thread's element has passed the token at `index`.
    fn advance(&mut self, thread: Thread, index: usize, is_last: bool) {
        let pattern = &self.tables.patterns[usize::from(thread.pattern)];
        for element in thread.element + 1..pattern.end {
            let reached = &mut self.reached[usize::from(element)];
            if *reached == index + 1 {
                return;
            }
            *reached = index + 1;
            self.next.push(Thread { element, ..thread });
            if !self.tables.elements[usize::from(element)].optional {
                return;
            }
        }
        if is_last || !pattern.at_end {
            let spans = match pattern.excuses {
                true => &mut self.excuses,
                false => &mut self.hits,
            };
            spans.push(Span {
                rule: pattern.rule,
                first: thread.first,
                last: index,
            });
        }
    }

    fn passes(&self, token: Token, element: u16) -> bool {
        match self.tables.elements[usize::from(element)].test {
            Test::Any => true,
            Test::OneOf { first, end } => {
                let choice = &self.tables.choices[first as usize..end as usize];
                signs(token).any(|sign| choice.binary_search(&sign).is_ok())
            }
        }
    }
}

/// The numbers by which rules know a token.
fn signs(token: Token) -> impl Iterator<Item = u16> {
    let (sign, more) = match token {
        Token::Word(WordId(id)) => (Some(FIRST_WORD + id), None),
        Token::Number => (Some(NUMBER), None),
        Token::Other => (None, None),
        Token::Link => (Some(LINK), None),
        Token::PhishingLink => (Some(LINK), Some(PHISHING_LINK)),
    };
    sign.into_iter().chain(more)
}
