//! The rule files: parsed, checked, and written as the tables of `src/rules.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use crate::Source;
use crate::phrase::{self, Phrase, Sets};
use crate::tables::{FIRST_WORD, Tables};
use crate::verdict::{Action, Label};
use crate::words::WordList;

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
    /// Of a list of words in another language than English.
    language: Option<String>,
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
    phrases: Vec<(u16, bool, Phrase<String>)>,
    known: BTreeSet<String>,
}

struct Rule {
    name: String,
    language: Option<String>,
    label: Label,
    action: Action,
}

pub fn compile(sources: &[Source]) -> Result<Compiled, String> {
    let mut rules = Rules::default();
    for source in sources {
        rules.add_file(source)?;
    }
    let words = rules.words();
    let tables = rules
        .tables(&words)
        .ok_or_else(|| "rules: more than 65,000 words: widen the tables' indices".to_owned())?;
    Ok(Compiled {
        vocabulary: vocabulary(&words),
        tables,
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
            language: entry.language.clone(),
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
            let parsed = phrase::parse(phrase.get_ref(), sets)
                .map_err(|message| source.error(phrase.span().start, &message))?;
            self.phrases
                .push((self.rules.len() as u16, excuses, parsed));
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

    fn words(&self) -> WordList {
        let mut words = self.known.clone();
        for (_, _, phrase) in &self.phrases {
            words.extend(phrase.words().cloned());
        }
        let words: Vec<&'static str> = words.into_iter().map(|word| &*word.leak()).collect();
        WordList::build(words.into_iter())
    }

    fn tables(&self, words: &WordList) -> Option<String> {
        let ids: BTreeMap<&str, u16> = words.words.iter().copied().zip(FIRST_WORD..).collect();
        let signs = FIRST_WORD.checked_add(u16::try_from(ids.len()).ok()?)?;
        let phrases = self
            .phrases
            .iter()
            .map(|(rule, excuses, phrase)| (*rule, *excuses, phrase));
        let tables = Tables::build(phrases, signs, |word| ids[word]).ok()?;
        let rules: String = self.rules.iter().map(rule).collect();
        Some(format!(
            "static RULES: &[Rule] = &[{rules}];\n\
             static TABLES: Tables = Tables {{\n\
             patterns: Cow::Borrowed(&{:?}),\n\
             elements: Cow::Borrowed(&{:?}),\n\
             choices: Cow::Borrowed(&{:?}),\n\
             starts: Cow::Borrowed(&{:?}),\n\
             starting: Cow::Borrowed(&{:?}),\n\
             }};\n",
            tables.patterns, tables.elements, tables.choices, tables.starts, tables.starting
        ))
    }
}

fn rule(rule: &Rule) -> String {
    let Rule {
        name,
        language,
        label,
        action,
    } = rule;
    let score = action.score();
    format!(
        "Rule {{ name: {name:?}, language: {language:?}, label: Label::{label:?}, score: {score:?} }},\n"
    )
}

fn vocabulary(words: &WordList) -> String {
    format!(
        "static BUILT_IN: WordList = WordList {{\n\
         places: {},\n\
         starts: std::borrow::Cow::Borrowed(&{:?}),\n\
         words: std::borrow::Cow::Borrowed(&{:?}),\n\
         }};\n",
        words.places, words.starts, words.words
    )
}

fn check_word(source: &Source, word: &Spanned<String>) -> Result<(), String> {
    phrase::check_word(word.get_ref()).map_err(|message| source.error(word.span().start, &message))
}
