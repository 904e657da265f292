//! The rule files: parsed, checked, and written as the tables of `src/rules.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Deserialize;
use toml::Spanned;

use crate::Source;
use crate::hash;
use crate::pattern::{self, LINK, LONGEST_PATTERN, NUMBER, PHISHING_LINK, Pattern, Sets, Test};
use crate::verdict::{Action, Label};

/// Longest rule name in bytes; it is shown in logs and stored with figures.
const NAME_BYTES: usize = 48;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Words that no reading may change into another (`cúm` is not `cum`).
    #[serde(default)]
    known: Vec<Spanned<String>>,
    /// Choices used by several phrases of this file, as `{name}`.
    #[serde(default)]
    sets: BTreeMap<String, Vec<Spanned<String>>>,
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    name: Spanned<String>,
    label: Spanned<String>,
    action: Spanned<String>,
    any: Vec<Spanned<String>>,
    #[serde(default)]
    unless: Vec<Spanned<String>>,
}

/// Rust source: the word list and the tables.
pub struct Compiled {
    pub vocabulary: String,
    pub tables: String,
}

#[derive(Default)]
struct Rules {
    rules: Vec<Rule>,
    patterns: Vec<(usize, bool, Pattern)>,
    known: BTreeSet<String>,
}

struct Rule {
    name: String,
    label: Label,
    action: Action,
}

pub fn compile(sources: &[Source]) -> Result<Compiled, String> {
    let mut rules = Rules::default();
    for source in sources {
        rules.add_file(source)?;
    }
    let words = rules.words();
    let fits = |count: usize| u16::try_from(count).is_ok_and(|count| count < u16::MAX - 3);
    let elements = rules
        .patterns
        .iter()
        .map(|(_, _, pattern)| pattern.elements.len());
    if !fits(words.len()) || !fits(elements.sum()) {
        return Err("rules: more than 65,000 words: widen the tables' indices".to_owned());
    }
    Ok(Compiled {
        vocabulary: vocabulary(&words),
        tables: rules.tables(&words),
    })
}

impl Rules {
    fn add_file(&mut self, source: &Source) -> Result<(), String> {
        let file: File = source.parse()?;
        for word in &file.known {
            check_word(source, word)?;
            self.known.insert(word.get_ref().clone());
        }
        let mut sets = Sets::new();
        for (name, words) in &file.sets {
            words.iter().try_for_each(|word| check_word(source, word))?;
            let words = words.iter().map(|word| word.get_ref().clone());
            sets.insert(name.clone(), words.collect());
        }
        for entry in &file.rule {
            self.add_rule(source, entry, &sets)?;
        }
        Ok(())
    }

    fn add_rule(&mut self, source: &Source, entry: &RuleEntry, sets: &Sets) -> Result<(), String> {
        let rule = Rule {
            name: self.check_name(source, &entry.name)?,
            label: Label::from_name(entry.label.get_ref()).ok_or_else(|| {
                let known = Label::ALL.map(Label::name).join(", ");
                let message = format!("no label `{}`: one of {known}", entry.label.get_ref());
                source.error(entry.label.span().start, &message)
            })?,
            action: match Action::from_name(entry.action.get_ref()) {
                Some(action) if action != Action::Allow => action,
                _ => {
                    let message = format!(
                        "no action `{}`: flag, mask or block",
                        entry.action.get_ref()
                    );
                    return Err(source.error(entry.action.span().start, &message));
                }
            },
        };
        if entry.any.is_empty() {
            let message = format!("`{}` has no phrase in `any`", rule.name);
            return Err(source.error(entry.name.span().start, &message));
        }
        let phrases = entry.any.iter().map(|phrase| (phrase, false));
        let exceptions = entry.unless.iter().map(|phrase| (phrase, true));
        for (phrase, excuses) in phrases.chain(exceptions) {
            let pattern = pattern::parse(phrase.get_ref(), sets)
                .map_err(|message| source.error(phrase.span().start, &message))?;
            self.patterns.push((self.rules.len(), excuses, pattern));
        }
        self.rules.push(rule);
        Ok(())
    }

    fn check_name(&self, source: &Source, name: &Spanned<String>) -> Result<String, String> {
        let text = name.get_ref();
        let error =
            |message: &str| source.error(name.span().start, &format!("`{text}`: {message}"));
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if text.is_empty() || text.len() > NAME_BYTES || !text.bytes().all(allowed) {
            return Err(error("a rule's name is at most 48 of `a-z0-9.-`"));
        }
        if self.rules.iter().any(|rule| rule.name == *text) {
            return Err(error("there is a rule of this name already"));
        }
        Ok(text.clone())
    }

    /// Every word, sorted by its place, then as it is.
    fn words(&self) -> Vec<String> {
        let mut words = self.known.clone();
        for (_, _, pattern) in &self.patterns {
            for element in &pattern.elements {
                if let Test::OneOf(choice) = &element.test {
                    words.extend(choice.iter().filter(|word| !word.starts_with('<')).cloned());
                }
            }
        }
        let mut words: Vec<String> = words.into_iter().collect();
        let places = places(words.len());
        words.sort_by_key(|word| (place(word, places), word.clone()));
        words
    }

    fn tables(&self, words: &[String]) -> String {
        let signs = SIGNS.map(|(sign, _)| sign);
        let ids: BTreeMap<&str, u16> = words
            .iter()
            .map(String::as_str)
            .chain(signs)
            .zip(0..)
            .collect();
        let mut patterns = String::new();
        let mut elements = String::new();
        let mut starts = BTreeSet::new();
        let mut first = 0;
        for (index, (rule, excuses, pattern)) in self.patterns.iter().enumerate() {
            let end = first + pattern.elements.len();
            let (at_start, at_end) = (pattern.at_start, pattern.at_end);
            let _ = writeln!(
                patterns,
                "Pattern {{ rule: {rule}, excuses: {excuses}, first: {first}, end: {end}, at_start: {at_start}, at_end: {at_end} }},"
            );
            for element in &pattern.elements {
                let test = test(&element.test, &ids);
                let _ = writeln!(
                    elements,
                    "Element {{ test: {test}, optional: {} }},",
                    element.optional
                );
            }
            // `...` is optional, so no phrase begins with it.
            if let Test::OneOf(words) = &pattern.elements[0].test {
                starts.extend(numbers(words, &ids).into_iter().map(|id| (id, index)));
            }
            first = end;
        }
        let rules: String = self.rules.iter().map(rule).collect();
        let constants: String = SIGNS
            .iter()
            .map(|(sign, name)| format!("const {name}: u16 = {};\n", ids[sign]))
            .collect();
        let before = |id| {
            starts
                .iter()
                .filter(|(start, _)| usize::from(*start) < id)
                .count()
        };
        let starts_at: Vec<usize> = (0..=ids.len()).map(before).collect();
        let starting: Vec<usize> = starts.iter().map(|&(_, pattern)| pattern).collect();
        format!(
            "const LONGEST_PATTERN: usize = {LONGEST_PATTERN};\n\
             {constants}\
             static RULES: &[Rule] = &[{rules}];\n\
             static PATTERNS: &[Pattern] = &[{patterns}];\n\
             static ELEMENTS: &[Element] = &[{elements}];\n\
             static STARTS: &[u16] = &{starts_at:?};\n\
             static STARTING: &[u16] = &{starting:?};\n"
        )
    }
}

/// The tokens that are no words have the numbers behind all words.
const SIGNS: [(&str, &str); 3] = [
    (LINK, "LINK"),
    (PHISHING_LINK, "PHISHING_LINK"),
    (NUMBER, "NUMBER"),
];

fn test(test: &Test, ids: &BTreeMap<&str, u16>) -> String {
    match test {
        Test::OneOf(words) => format!("Test::OneOf(&{:?})", numbers(words, ids)),
        Test::Any => "Test::Any".to_owned(),
    }
}

fn numbers(words: &[String], ids: &BTreeMap<&str, u16>) -> Vec<u16> {
    let numbers: BTreeSet<u16> = words.iter().map(|word| ids[word.as_str()]).collect();
    numbers.into_iter().collect()
}

fn rule(rule: &Rule) -> String {
    let Rule {
        name,
        label,
        action,
    } = rule;
    let score = action.score();
    format!("Rule {{ name: {name:?}, label: Label::{label:?}, score: {score:?} }},\n")
}

/// About two places a word, so that most places hold one or none.
fn places(words: usize) -> usize {
    (2 * words).next_power_of_two()
}

fn place(word: &str, places: usize) -> usize {
    let mut letters: Vec<char> = word.chars().collect();
    letters.dedup();
    hash::place(letters.into_iter(), places)
}

/// The words of place `p` have the numbers `STARTS[p]..STARTS[p + 1]`.
fn vocabulary(words: &[String]) -> String {
    let places = places(words.len());
    let before = |p| words.partition_point(|word| place(word, places) < p);
    let starts: Vec<usize> = (0..=places).map(before).collect();
    format!(
        "const PLACES: usize = {places};\n\
         static STARTS: [u16; {}] = {starts:?};\n\
         static VOCABULARY: [&str; {}] = {words:?};\n",
        starts.len(),
        words.len()
    )
}

fn check_word(source: &Source, word: &Spanned<String>) -> Result<(), String> {
    pattern::check_word(word.get_ref()).map_err(|message| source.error(word.span().start, &message))
}
