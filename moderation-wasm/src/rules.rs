//! Finds the rules' phrases in the words of a text.
//!
//! The build script compiles `rules/*.toml` into tables. All phrases are followed at once, word
//! by word (Thompson's construction): a text costs at most its words times the rules' elements,
//! whatever it says, and no text can make it go back. Matching whole words rather than
//! substrings is what leaves `Scunthorpe` alone.

use crate::normalise::{Token, WordId};
use crate::verdict::{Finding, Label};

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

struct Rule {
    name: &'static str,
    label: Label,
    score: f32,
}

/// A phrase: `ELEMENTS[first..end]`.
struct Pattern {
    rule: u16,
    /// An exception: what it covers is no hit of the rule.
    excuses: bool,
    first: u16,
    end: u16,
    /// Only at the beginning of the text.
    at_start: bool,
    /// Only at the end of the text.
    at_end: bool,
}

struct Element {
    test: Test,
    optional: bool,
}

enum Test {
    /// One of these words, by their numbers, or `LINK`, `PHISHING_LINK`, `NUMBER`; sorted.
    OneOf(&'static [u16]),
    Any,
}

/// What the rules find in a text, in the order of the rules, each rule once.
pub fn findings(tokens: &[Token]) -> Vec<Finding> {
    let (hits, excuses) = Matcher::default().run(tokens);
    let mut rules: Vec<u16> = hits
        .into_iter()
        .filter(|hit| !is_excused(hit, &excuses))
        .map(|hit| hit.rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    let finding = |rule: u16| {
        let rule = &RULES[usize::from(rule)];
        Finding {
            label: rule.label,
            score: rule.score,
            rule: Some(rule.name),
        }
    };
    rules.into_iter().map(finding).collect()
}

/// Every rule by its name.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// Where a phrase of a rule was found: the tokens `first..=last`.
struct Span {
    rule: u16,
    first: usize,
    last: usize,
}

/// Whether an exception of the same rule covers one of the hit's words. Both lists are sorted by
/// their last token, and no phrase is longer than `LONGEST_PATTERN`, so only a few are looked at.
fn is_excused(hit: &Span, excuses: &[Span]) -> bool {
    let near = excuses.partition_point(|excuse| excuse.last < hit.first);
    excuses[near..]
        .iter()
        .take_while(|excuse| excuse.last < hit.last + LONGEST_PATTERN)
        .any(|excuse| excuse.rule == hit.rule && excuse.first <= hit.last)
}

/// A phrase that has been followed up to an element, which the next token has to pass.
#[derive(Clone, Copy)]
struct Thread {
    pattern: u16,
    element: u16,
    first: usize,
}

struct Matcher {
    threads: Vec<Thread>,
    next: Vec<Thread>,
    /// By element: the token after which a thread was last put there, plus one.
    reached: Vec<usize>,
    hits: Vec<Span>,
    excuses: Vec<Span>,
}

impl Default for Matcher {
    fn default() -> Matcher {
        Matcher {
            threads: Vec::new(),
            next: Vec::new(),
            reached: vec![0; ELEMENTS.len()],
            hits: Vec::new(),
            excuses: Vec::new(),
        }
    }
}

impl Matcher {
    /// The hits and the exceptions, each sorted by their last token.
    fn run(mut self, tokens: &[Token]) -> (Vec<Span>, Vec<Span>) {
        for (index, &token) in tokens.iter().enumerate() {
            let is_last = index + 1 == tokens.len();
            let mut threads = std::mem::take(&mut self.threads);
            for thread in threads.drain(..) {
                if passes(token, &ELEMENTS[usize::from(thread.element)].test) {
                    self.advance(thread, index, is_last);
                }
            }
            for &pattern in signs(token).flat_map(starting_with) {
                let Pattern {
                    first, at_start, ..
                } = PATTERNS[usize::from(pattern)];
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
        let pattern = &PATTERNS[usize::from(thread.pattern)];
        for element in thread.element + 1..pattern.end {
            let reached = &mut self.reached[usize::from(element)];
            if *reached == index + 1 {
                return;
            }
            *reached = index + 1;
            self.next.push(Thread { element, ..thread });
            if !ELEMENTS[usize::from(element)].optional {
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
}

/// The numbers by which rules know a token.
fn signs(token: Token) -> impl Iterator<Item = u16> {
    let (sign, more) = match token {
        Token::Word(WordId(id)) => (Some(id), None),
        Token::Number => (Some(NUMBER), None),
        Token::Other => (None, None),
        Token::Link => (Some(LINK), None),
        Token::PhishingLink => (Some(LINK), Some(PHISHING_LINK)),
    };
    sign.into_iter().chain(more)
}

/// The patterns that begin with a sign.
fn starting_with(sign: u16) -> &'static [u16] {
    let sign = usize::from(sign);
    &STARTING[usize::from(STARTS[sign])..usize::from(STARTS[sign + 1])]
}

fn passes(token: Token, test: &Test) -> bool {
    match test {
        Test::Any => true,
        Test::OneOf(choice) => signs(token).any(|sign| choice.binary_search(&sign).is_ok()),
    }
}
