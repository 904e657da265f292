//! From the file to the form that the component reads.

use std::ops::Range;

use clustertalk_moderation_wasm::normalise::fold::fold;
use clustertalk_moderation_wasm::policy::form::{
    Change, Effect, Expressions, Form, Rule, Section, Strength,
};
use clustertalk_moderation_wasm::policy::reserved::CAPACITY;
use clustertalk_moderation_wasm::rules;
use clustertalk_moderation_wasm::rules::phrase::{self, Choice, Part, Phrase, Sets};
use clustertalk_moderation_wasm::verdict::Label;
use toml::Spanned;

use crate::expressions;
use crate::file::{self, Action, File, Text, Threshold};
use crate::{Policy, Problem, Summary};

/// Bytes of a policy's name.
const NAME_BYTES: usize = 64;
/// Bytes of a rule's name and of a label; both are stored with what they decide.
const RULE_BYTES: usize = 48;
const LABEL_BYTES: usize = 32;
/// Bytes of what is shown in the place of a text.
const REPLACEMENT_BYTES: usize = 1024;
/// Bounds the work at a message, and with it what a message can cost.
const MOST_RULES: usize = 1000;
const MOST_WORDS: usize = 20_000;

/// The label of what is on a list of `deny`.
const DENIED: &str = "denied";

pub fn compile(source: &str) -> Result<Policy, Vec<Problem>> {
    let file: File = toml::from_str(source).map_err(|error| {
        let at = error.span().unwrap_or_default();
        vec![problem(source, at, error.message())]
    })?;
    let mut compiler = Compiler::new(source);
    compiler.add_file(&file);
    let policy = compiler.finish(&file)?;
    let tests = file.test.into_iter();
    Ok(Policy {
        tests: tests
            .map(|test| (line(source, test.text.span().start), test))
            .collect(),
        ..policy
    })
}

fn problem(source: &str, at: Range<usize>, message: &str) -> Problem {
    Problem {
        line: line(source, at.start),
        message: message.trim_end().to_owned(),
    }
}

fn line(source: &str, byte: usize) -> usize {
    source[..byte.min(source.len())].matches('\n').count() + 1
}

struct Compiler<'f> {
    source: &'f str,
    problems: Vec<Problem>,
    sets: Sets,
    sections: Vec<Section<'f>>,
    rules: Vec<OwnRule<'f>>,
    /// Each with the number of its rule.
    folded: Vec<(u16, &'f Text)>,
    typed: Vec<(u16, &'f Text)>,
}

struct OwnRule<'f> {
    section: u16,
    name: String,
    effect: Effect<'f>,
    phrases: Vec<(bool, Phrase<String>)>,
    domains: Vec<String>,
}

impl<'f> Compiler<'f> {
    fn new(source: &'f str) -> Compiler<'f> {
        Compiler {
            source,
            problems: Vec::new(),
            sets: Sets::new(),
            sections: Vec::new(),
            rules: Vec::new(),
            folded: Vec::new(),
            typed: Vec::new(),
        }
    }

    fn wrong(&mut self, at: Range<usize>, message: &str) {
        self.problems.push(problem(self.source, at, message));
    }

    fn add_file(&mut self, file: &'f File) {
        let name = file.name.get_ref();
        if name.trim().is_empty() || name.len() > NAME_BYTES || name.contains(char::is_control) {
            self.wrong(file.name.span(), "a name is one line of at most 64 bytes");
        }
        for (name, words) in &file.sets {
            let words = words.iter().map(|word| {
                let plain = plain(word.get_ref());
                if let Err(message) = phrase::check_word(&plain) {
                    self.wrong(word.span(), &message);
                }
                plain
            });
            let words = words.collect();
            self.sets.insert(name.clone(), words);
        }
        self.add_section(Vec::new(), &file.section());
        for room in &file.room {
            if room.names.is_empty() {
                let all = "a section for rooms names them; what is for all stands above";
                self.wrong(0..0, all);
            }
            let names = room.names.iter();
            let rooms = names.filter_map(|name| self.room(name)).collect();
            self.add_section(rooms, &room.section());
        }
        for test in &file.test {
            let known = |rule: &str| {
                rules::names().any(|name| name == rule)
                    || self.rules.iter().any(|own| own.name == rule)
            };
            if let Some(rule) = test.rule.as_ref().filter(|rule| !known(rule)) {
                let message = format!("there is no rule `{rule}`");
                self.wrong(test.text.span(), &message);
            }
        }
    }

    fn room(&mut self, name: &'f Text) -> Option<&'f str> {
        let text = name.get_ref().as_str();
        let stem = text.strip_suffix('*').unwrap_or(text);
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-~.@:".contains(c);
        let is_name = !text.is_empty() && text.len() <= 129 && stem.chars().all(allowed);
        if !is_name {
            let message =
                format!("`{text}` is no room: as in `general`, or `kids-*` for all that begin so");
            self.wrong(name.span(), &message);
        }
        is_name.then_some(text)
    }

    fn add_section(&mut self, rooms: Vec<&'f str>, section: &file::Section<'f>) {
        let number = self.sections.len() as u16;
        let mut own = Section {
            rooms,
            replacement: section.replacement.and_then(|text| self.replacement(text)),
            labels: self.labels(section),
            built_in: self.built_in(section),
            allowed_domains: Vec::new(),
        };
        let mut allowed = OwnRule {
            section: number,
            name: "allow".to_owned(),
            effect: Effect::Allow,
            phrases: Vec::new(),
            domains: Vec::new(),
        };
        for entry in section.allow {
            match domain(entry.get_ref()) {
                Some(domain) => own.allowed_domains.push(domain),
                None => allowed.phrases.extend(self.phrase(entry, false)),
            }
        }
        self.sections.push(own);
        if !allowed.phrases.is_empty() {
            self.rules.push(allowed);
        }
        let file::Deny { flag, mask, block } = section.deny;
        for (entries, strength, name) in [
            (flag, Strength::Flag, "deny.flag"),
            (mask, Strength::Mask, "deny.mask"),
            (block, Strength::Block, "deny.block"),
        ] {
            let mut denied = OwnRule {
                section: number,
                name: name.to_owned(),
                effect: Effect::Act {
                    label: DENIED,
                    strength,
                    replacement: None,
                },
                phrases: Vec::new(),
                domains: Vec::new(),
            };
            for entry in entries {
                match domain(entry.get_ref()) {
                    Some(domain) => denied.domains.push(domain.to_owned()),
                    None => denied.phrases.extend(self.phrase(entry, false)),
                }
            }
            if !entries.is_empty() {
                self.rules.push(denied);
            }
        }
        for rule in section.rules {
            self.add_rule(number, rule);
        }
    }

    fn add_rule(&mut self, section: u16, rule: &'f file::Rule) {
        self.check_name(&rule.name);
        self.check_label(&rule.label);
        if rule.any.is_empty() && rule.regex.is_empty() {
            let message = format!(
                "`{}` looks for nothing: give phrases in `any` or expressions in `regex`",
                rule.name.get_ref()
            );
            self.wrong(rule.name.span(), &message);
        }
        let strength = match rule.action {
            Action::Flag => Strength::Flag,
            Action::Mask => Strength::Mask,
            Action::Block => Strength::Block,
        };
        if let Some(text) = rule
            .replacement
            .as_ref()
            .filter(|_| strength != Strength::Mask)
        {
            self.wrong(
                text.span(),
                "only a rule that masks shows something in the place of a text",
            );
        }
        let mut phrases = Vec::new();
        for (entries, excuses) in [(&rule.any, false), (&rule.unless, true)] {
            for entry in entries {
                phrases.extend(self.phrase(entry, excuses));
            }
        }
        let number = self.rules.len() as u16;
        let expressions = match rule.as_typed {
            true => &mut self.typed,
            false => &mut self.folded,
        };
        expressions.extend(rule.regex.iter().map(|expression| (number, expression)));
        let replacement = rule.replacement.as_ref();
        let replacement = replacement.and_then(|text| self.replacement(text));
        self.rules.push(OwnRule {
            section,
            name: rule.name.get_ref().clone(),
            effect: Effect::Act {
                label: rule.label.get_ref(),
                strength,
                replacement,
            },
            phrases,
            domains: Vec::new(),
        });
    }

    fn check_name(&mut self, name: &Text) {
        let text = name.get_ref();
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if text.is_empty() || text.len() > RULE_BYTES || !text.bytes().all(allowed) {
            let message = format!("`{text}`: a rule's name is at most {RULE_BYTES} of `a-z0-9.-`");
            self.wrong(name.span(), &message);
        } else if rules::names().any(|built_in| built_in == text) {
            let message = format!("`{text}` is a built-in rule: `[built_in]` changes what it does");
            self.wrong(name.span(), &message);
        } else if self.rules.iter().any(|rule| rule.name == *text) {
            let message = format!("there is a rule `{text}` already");
            self.wrong(name.span(), &message);
        }
    }

    fn check_label(&mut self, label: &Text) {
        let text = label.get_ref();
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if text.is_empty() || text.len() > LABEL_BYTES || !text.bytes().all(allowed) {
            let message = format!("`{text}`: a label is at most {LABEL_BYTES} of `a-z0-9-`");
            self.wrong(label.span(), &message);
        }
    }

    fn phrase(&mut self, entry: &Text, excuses: bool) -> Option<(bool, Phrase<String>)> {
        match phrase::parse(&plain(entry.get_ref()), &self.sets) {
            Ok(phrase) => Some((excuses, phrase)),
            Err(message) => {
                self.wrong(entry.span(), &message);
                None
            }
        }
    }

    fn replacement(&mut self, text: &'f Text) -> Option<&'f str> {
        let shown = text.get_ref().as_str();
        if shown.trim().is_empty() || shown.len() > REPLACEMENT_BYTES {
            let message =
                format!("what is shown in the place of a text has 1 to {REPLACEMENT_BYTES} bytes");
            self.wrong(text.span(), &message);
        }
        Some(shown)
    }

    fn labels(&mut self, section: &file::Section<'f>) -> Vec<(&'f str, Change)> {
        let mut labels = Vec::new();
        for (name, thresholds) in section.labels {
            if Label::from_name(name.get_ref()).is_none() {
                let known = Label::ALL.map(Label::name).join(", ");
                let message = format!(
                    "no label `{}` has scores: one of {known}. What a rule of your own does stands in its `action`",
                    name.get_ref()
                );
                self.wrong(name.span(), &message);
            }
            let flag = self.threshold(thresholds.flag.as_ref());
            let mask = self.threshold(thresholds.mask.as_ref());
            let block = self.threshold(thresholds.block.as_ref());
            let in_order = |weak: Option<f32>, strong: Option<f32>| {
                weak.zip(strong)
                    .is_none_or(|(weak, strong)| weak <= strong || weak.is_infinite())
            };
            if !in_order(flag, mask) || !in_order(mask, block) || !in_order(flag, block) {
                let message = "`flag` is at most `mask`, and `mask` at most `block`";
                self.wrong(name.span(), message);
            }
            labels.push((name.get_ref().as_str(), Change { flag, mask, block }));
        }
        labels
    }

    fn threshold(&mut self, threshold: Option<&Spanned<Threshold>>) -> Option<f32> {
        let threshold = threshold?;
        match threshold.get_ref() {
            Threshold::Word(_) => Some(f32::INFINITY),
            Threshold::Score(score) if *score > 0.0 && *score <= 1.0 => Some(*score),
            Threshold::Score(score) => {
                let message =
                    format!("{score} is no threshold: above 0 and at most 1, or \"never\"");
                self.wrong(threshold.span(), &message);
                None
            }
        }
    }

    fn built_in(&mut self, section: &file::Section<'f>) -> Vec<(&'f str, Option<Strength>)> {
        let mut changes = Vec::new();
        if let Some(wanted) = section.languages {
            for language in wanted {
                let known = rules::languages().any(|(_, known)| known == language.get_ref());
                if !known && language.get_ref() != "english" {
                    let names: Vec<&str> = rules::languages().map(|(_, name)| name).collect();
                    let message = format!(
                        "no list of words for `{}`: english, {}",
                        language.get_ref(),
                        names.join(", ")
                    );
                    self.wrong(language.span(), &message);
                }
            }
            let is_wanted = |name: &str| wanted.iter().any(|language| language.get_ref() == name);
            let unwanted = rules::languages().filter(|(_, language)| !is_wanted(language));
            changes.extend(unwanted.map(|(rule, _)| (rule, None)));
        }
        for (rule, what) in section.built_in {
            if !rules::names().any(|name| name == rule.get_ref()) {
                let message = format!(
                    "there is no built-in rule `{}`: `clustertalk policy rules` lists them",
                    rule.get_ref()
                );
                self.wrong(rule.span(), &message);
            }
            let strength = match what.get_ref().as_str() {
                "off" => None,
                "flag" => Some(Strength::Flag),
                "mask" => Some(Strength::Mask),
                "block" => Some(Strength::Block),
                other => {
                    let message = format!("no action `{other}`: flag, mask, block or off");
                    self.wrong(what.span(), &message);
                    None
                }
            };
            changes.push((rule.get_ref().as_str(), strength));
        }
        changes
    }

    fn finish(mut self, file: &'f File) -> Result<Policy, Vec<Problem>> {
        let phrases = self.rules.iter().flat_map(|rule| &rule.phrases);
        let words: usize = phrases.clone().map(|(_, phrase)| size(phrase)).sum();
        if self.rules.len() > MOST_RULES || words > MOST_WORDS {
            let message = format!(
                "{} rules with {words} words are too many: at most {MOST_RULES} and {MOST_WORDS}",
                self.rules.len()
            );
            self.wrong(file.name.span(), &message);
        }
        let (folded, typed) = (self.expressions(true), self.expressions(false));
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|problem| problem.line);
            return Err(self.problems);
        }
        let summary = Summary {
            rooms: self.sections.len() - 1,
            rules: self.rules.len(),
            phrases: phrases_of(&self.rules),
            expressions: self.folded.len() + self.typed.len(),
        };
        let form = Form {
            name: file.name.get_ref(),
            sections: self.sections,
            rules: self.rules.iter().map(rule).collect(),
            folded: folded.as_ref().map(|table| Expressions {
                rules: self.folded.iter().map(|(rule, _)| *rule).collect(),
                automaton: table.automaton(),
            }),
            typed: typed.as_ref().map(|table| Expressions {
                rules: self.typed.iter().map(|(rule, _)| *rule).collect(),
                automaton: table.automaton(),
            }),
        };
        let bytes = postcard::to_allocvec(&form)
            .map_err(|error| vec![problem(self.source, 0..0, &error.to_string())])?;
        if bytes.len() > CAPACITY {
            let automata = [&folded, &typed].into_iter().flatten();
            let of_them: usize = automata.map(expressions::Table::bytes).sum();
            let message = format!(
                "the policy has {} bytes, {of_them} of them for expressions: at most {CAPACITY} fit into the component",
                bytes.len()
            );
            return Err(vec![problem(self.source, file.name.span(), &message)]);
        }
        Ok(Policy {
            name: file.name.get_ref().clone(),
            bytes,
            tests: Vec::new(),
            summary,
        })
    }

    /// The automaton of the expressions of one kind. Each is made by itself first, so that what is
    /// wrong with one is said of this one.
    fn expressions(&mut self, folded: bool) -> Option<expressions::Table> {
        let all = match folded {
            true => self.folded.clone(),
            false => self.typed.clone(),
        };
        let (_, first) = *all.first()?;
        let before = self.problems.len();
        for (_, expression) in &all {
            let text = expression.get_ref();
            match expressions::compile(&[text], folded) {
                Err(message) => self.wrong(expression.span(), &format!("`{text}` {message}")),
                Ok(table) => {
                    let mut is_empty = false;
                    table.automaton().find("", |_| is_empty = true);
                    if is_empty {
                        let message = format!("`{text}` is found in every text");
                        self.wrong(expression.span(), &message);
                    }
                }
            }
        }
        if self.problems.len() > before {
            return None;
        }
        let texts: Vec<&str> = all
            .iter()
            .map(|(_, text)| text.get_ref().as_str())
            .collect();
        match expressions::compile(&texts, folded) {
            Ok(table) => Some(table),
            Err(message) => {
                let message = format!("the expressions together: {message}");
                self.wrong(first.span(), &message);
                None
            }
        }
    }
}

fn phrases_of(rules: &[OwnRule<'_>]) -> usize {
    rules
        .iter()
        .map(|rule| rule.phrases.len() + rule.domains.len())
        .sum()
}

fn size(phrase: &Phrase<String>) -> usize {
    let choices = phrase.parts.iter().map(|part| match &part.choice {
        Choice::OneOf(words) => words.len(),
        Choice::Any => 1,
    });
    choices.sum()
}

fn rule<'r>(rule: &'r OwnRule<'_>) -> Rule<'r> {
    let phrases = rule.phrases.iter();
    Rule {
        section: rule.section,
        name: &rule.name,
        effect: rule.effect.clone(),
        phrases: phrases
            .map(|(excuses, phrase)| (*excuses, borrowed(phrase)))
            .collect(),
        domains: rule.domains.iter().map(String::as_str).collect(),
    }
}

fn borrowed(phrase: &Phrase<String>) -> Phrase<&str> {
    let parts = phrase.parts.iter().map(|part| Part {
        choice: match &part.choice {
            Choice::OneOf(words) => Choice::OneOf(words.iter().map(String::as_str).collect()),
            Choice::Any => Choice::Any,
        },
        optional: part.optional,
    });
    Phrase {
        parts: parts.collect(),
        at_start: phrase.at_start,
        at_end: phrase.at_end,
    }
}

/// A phrase as the normaliser leaves texts: lower case, `don't` as `dont`, `co-op` as `co op`.
fn plain(phrase: &str) -> String {
    fold(phrase)
        .replace(['\'', '\u{2019}'], "")
        .replace(['-', '_'], " ")
}

/// The name of a domain, in lower case.
fn domain(entry: &str) -> Option<&str> {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-') || !b.is_ascii();
    let labels = entry.split('.');
    let is_domain = entry.contains('.')
        && entry.len() <= 253
        && labels
            .into_iter()
            .all(|label| !label.is_empty() && label.bytes().all(allowed));
    is_domain.then_some(entry)
}
