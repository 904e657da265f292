//! What an operator decided: thresholds and rules of his own, what is allowed, what is shown.
//!
//! A policy is part of the component ([`reserved`]), so there is no channel by which another could
//! come in, and the component's digest names it. It adds to the built-in rules and the model, and
//! changes what their scores lead to. A section of it may be for some rooms only.

pub mod automaton;
pub mod form;
pub mod reserved;

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::model::Model;
use crate::normalise::{self, Normalised, Vocabulary, fold};
use crate::rules::tables::{FIRST_WORD, Tables};
use crate::rules::{self, Span};
use crate::verdict::{self, Action, Finding, Label, Thresholds, Verdict};
use form::{Change, Effect, Expressions, Form, Section, Strength};

/// A longer text is judged in parts of this many bytes, so that memory is bounded whatever its
/// length.
const PART: usize = 16 * 1024;
/// Bytes that two parts share, so that no phrase falls between them.
const SHARED: usize = 512;

/// A policy that texts can be judged by.
pub struct Policy {
    name: &'static str,
    vocabulary: Cow<'static, Vocabulary>,
    sections: Vec<Section<'static>>,
    rules: Vec<Rule>,
    allow: Tables,
    act: Tables,
    folded: Option<Expressions<'static>>,
    typed: Option<Expressions<'static>>,
}

/// A rule of the policy; `None` for one that allows.
struct Rule {
    section: u16,
    finding: Option<Finding>,
    domains: Vec<&'static str>,
}

/// What was found in a part of a text.
pub struct Assessment {
    /// What was judged, without links that are allowed.
    pub text: String,
    /// Without what is allowed.
    pub normalised: Normalised,
    /// Of the built-in rules, as the model sees them.
    pub by_rules: Vec<Finding>,
    /// All, in the order in which the first of equals decides.
    pub findings: Vec<Finding>,
}

impl Policy {
    /// The one that was put into this component.
    ///
    /// # Errors
    /// It is none that this version reads.
    pub fn of_component() -> Result<&'static Policy, &'static str> {
        static POLICY: OnceLock<Result<Policy, String>> = OnceLock::new();
        let policy = POLICY.get_or_init(|| match reserved::bytes() {
            [] => Ok(Policy::empty()),
            bytes => Policy::decode(bytes),
        });
        policy.as_ref().map_err(String::as_str)
    }

    /// A policy that changes nothing.
    pub fn empty() -> Policy {
        Policy {
            name: "",
            vocabulary: Cow::Borrowed(Vocabulary::built_in()),
            sections: Vec::new(),
            rules: Vec::new(),
            allow: Tables::empty(),
            act: Tables::empty(),
            folded: None,
            typed: None,
        }
    }

    /// Reads the bytes of a [`Form`].
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &'static [u8]) -> Result<Policy, String> {
        let form: Form<'static> =
            postcard::from_bytes(bytes).map_err(|_| "no policy that this version reads")?;
        let words = form
            .rules
            .iter()
            .flat_map(|rule| rule.phrases.iter().flat_map(|(_, phrase)| phrase.words()));
        let vocabulary = Vocabulary::with(words.copied());
        let tables = |allows: bool| {
            let rules = form.rules.iter().zip(0..);
            let phrases = rules
                .filter(|(rule, _)| (rule.effect == Effect::Allow) == allows)
                .flat_map(|(rule, number)| {
                    let phrases = rule.phrases.iter();
                    phrases.map(move |(excuses, phrase)| (number, *excuses, phrase))
                });
            let number_of = |word: &str| {
                let id = vocabulary.find_exactly(word);
                FIRST_WORD + id.map_or(0, |id| id.0)
            };
            Tables::build(phrases, FIRST_WORD + vocabulary.count(), number_of)
                .map_err(|_| "the policy has too many phrases".to_owned())
        };
        let (allow, act) = (tables(true)?, tables(false)?);
        let are_whole = |expressions: &Expressions| {
            let mut rules = expressions.rules.iter();
            expressions.automaton.is_whole(expressions.rules.len())
                && rules.all(|&rule| usize::from(rule) < form.rules.len())
        };
        let mut expressions = form.folded.iter().chain(&form.typed);
        if !expressions.all(are_whole) {
            return Err("the policy's expressions are damaged".to_owned());
        }
        let rules = form.rules.into_iter().map(|rule| Rule {
            section: rule.section,
            finding: finding(&rule),
            domains: rule.domains,
        });
        Ok(Policy {
            name: form.name,
            rules: rules.collect(),
            vocabulary: Cow::Owned(vocabulary),
            sections: form.sections,
            allow,
            act,
            folded: form.folded,
            typed: form.typed,
        })
    }

    /// The policy for one room.
    pub fn in_room(&self, room: &str) -> InRoom<'_> {
        let sections = self.sections.iter().zip(0..);
        InRoom {
            policy: self,
            sections: sections
                .filter(|(section, _)| covers(&section.rooms, room))
                .map(|(section, number)| (number, section))
                .collect(),
        }
    }
}

fn finding(rule: &form::Rule<'static>) -> Option<Finding> {
    let Effect::Act {
        label,
        strength,
        replacement,
    } = rule.effect
    else {
        return None;
    };
    let action = action(strength);
    Some(Finding {
        label: label_of(label),
        score: action.score(),
        rule: Some(rule.name),
        action: Some(action),
        replacement,
    })
}

fn action(strength: Strength) -> Action {
    match strength {
        Strength::Flag => Action::Flag,
        Strength::Mask => Action::Mask,
        Strength::Block => Action::Block,
    }
}

fn label_of(name: &'static str) -> Label {
    Label::from_name(name).unwrap_or(Label::Own(name))
}

fn covers(rooms: &[&str], room: &str) -> bool {
    rooms.is_empty()
        || rooms.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => room.starts_with(beginning),
            None => *name == room,
        })
}

/// The sections of a policy that are for one room.
pub struct InRoom<'p> {
    policy: &'p Policy,
    sections: Vec<(u16, &'p Section<'static>)>,
}

impl InRoom<'_> {
    /// Judges a text. Bounded: time is linear in the text.
    #[inline(never)]
    pub fn judge(&self, text: &str) -> Verdict {
        let findings = parts(text).flat_map(|part| self.assess(part).findings);
        verdict::decide(findings, |label| self.thresholds(label))
    }

    /// The name of the policy; empty without one.
    pub fn name(&self) -> &'static str {
        self.policy.name
    }

    /// The scores from which on a text with this label is flagged, masked and blocked.
    pub fn thresholds(&self, label: Label) -> Thresholds {
        let mut thresholds = Thresholds::DEFAULT;
        for (_, section) in &self.sections {
            for (name, change) in &section.labels {
                if *name == label.name() {
                    let Change { flag, mask, block } = *change;
                    thresholds.flag = flag.unwrap_or(thresholds.flag);
                    thresholds.mask = mask.unwrap_or(thresholds.mask);
                    thresholds.block = block.unwrap_or(thresholds.block);
                }
            }
        }
        thresholds
    }

    /// What stands in the place of a masked text, if no rule says otherwise.
    pub fn replacement(&self) -> Option<&'static str> {
        let mut sections = self.sections.iter().rev();
        sections.find_map(|(_, section)| section.replacement)
    }

    /// What is found in a part of a text.
    // Once in the component, though two ask for it.
    #[inline(never)]
    pub fn assess(&self, text: &str) -> Assessment {
        let text = self.without_allowed_links(text);
        let mut normalised = normalise::normalise_with(&self.policy.vocabulary, &text);
        self.cut_allowed(&mut normalised);
        let mut findings = self.own_findings(&text, &normalised);
        let by_rules = self.by_built_in_rules(&normalised);
        findings.extend(&by_rules);
        findings.extend(Model::built_in().findings(&text, &normalised, &by_rules));
        Assessment {
            text: text.into_owned(),
            normalised,
            by_rules,
            findings,
        }
    }

    fn covers(&self, section: u16) -> bool {
        self.sections.iter().any(|(number, _)| *number == section)
    }

    fn own_findings(&self, text: &str, normalised: &Normalised) -> Vec<Finding> {
        let policy = self.policy;
        if policy.rules.is_empty() {
            return Vec::new();
        }
        let mut found = vec![false; policy.rules.len()];
        for span in rules::spans(&policy.act, &normalised.tokens) {
            found[usize::from(span.rule)] = true;
        }
        let mut find = |expressions: &Expressions, text: &str| {
            expressions.automaton.find(text, |hit| {
                found[usize::from(expressions.rules[usize::from(hit)])] = true
            });
        };
        if let Some(expressions) = &policy.folded {
            find(expressions, &fold::fold(text));
        }
        if let Some(expressions) = &policy.typed {
            find(expressions, text);
        }
        let links: Vec<&str> = normalised.links().collect();
        let is_linked = |rule: &Rule| links.iter().any(|host| is_below(host, &rule.domains));
        let found = policy.rules.iter().zip(found);
        found
            .filter(|(rule, found)| self.covers(rule.section) && (*found || is_linked(rule)))
            .filter_map(|(rule, _)| rule.finding)
            .collect()
    }

    fn by_built_in_rules(&self, normalised: &Normalised) -> Vec<Finding> {
        let mut findings = rules::findings(&normalised.tokens);
        for (_, section) in &self.sections {
            for (name, strength) in &section.built_in {
                match strength {
                    None => findings.retain(|finding| finding.rule != Some(name)),
                    Some(strength) => {
                        let changed = findings.iter_mut();
                        for finding in changed.filter(|finding| finding.rule == Some(name)) {
                            finding.action = Some(action(*strength));
                            finding.score = action(*strength).score();
                        }
                    }
                }
            }
        }
        findings
    }

    /// Takes out the words that allowed phrases cover.
    fn cut_allowed(&self, normalised: &mut Normalised) {
        if self.policy.allow.patterns.is_empty() {
            return;
        }
        let spans: Vec<Span> = rules::spans(&self.policy.allow, &normalised.tokens)
            .filter(|span| self.covers(self.policy.rules[usize::from(span.rule)].section))
            .collect();
        if spans.is_empty() {
            return;
        }
        let mut kept = vec![true; normalised.tokens.len()];
        for span in spans {
            kept[span.first..=span.last].fill(false);
        }
        let words: Vec<&str> = normalised
            .text
            .split(' ')
            .zip(&kept)
            .filter_map(|(word, kept)| kept.then_some(word))
            .collect();
        normalised.text = words.join(" ");
        let mut each = kept.into_iter();
        normalised.tokens.retain(|_| each.next().unwrap_or(true));
    }

    /// The text without links to allowed domains.
    fn without_allowed_links<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut domains = self
            .sections
            .iter()
            .flat_map(|(_, section)| &section.allowed_domains)
            .peekable();
        if domains.peek().is_none() || !text.contains('.') {
            return Cow::Borrowed(text);
        }
        let domains: Vec<&str> = domains.copied().collect();
        Cow::Owned(normalise::without_links(text, |host| {
            is_below(host, &domains)
        }))
    }
}

/// Whether a host is one of these domains, or below one.
fn is_below(host: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| {
        let above = host.strip_suffix(domain);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    })
}

/// A text in parts that are judged one by one.
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= PART {
            return rest.take();
        }
        let end = text.floor_char_boundary(PART);
        rest = Some(&text[text.floor_char_boundary(end - SHARED)..]);
        Some(&text[..end])
    })
}
