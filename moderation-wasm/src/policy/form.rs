//! A policy as it is kept in the component: [postcard](https://postcard.jamesmunns.com) of a
//! [`Form`], which borrows from the bytes what it can.

use serde::{Deserialize, Serialize};

use super::automaton::Automaton;
use crate::rules::phrase::Phrase;

/// What an operator decided. `clustertalk policy build` makes it from a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Form<'a> {
    #[serde(borrow)]
    pub name: &'a str,
    /// The first is for every room.
    pub sections: Vec<Section<'a>>,
    pub rules: Vec<Rule<'a>>,
    /// Expressions that are looked for in the folded text.
    pub folded: Option<Expressions<'a>>,
    /// Expressions that are looked for in the text as it was typed.
    pub typed: Option<Expressions<'a>>,
}

/// What is set for some rooms, or for all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section<'a> {
    /// Names, or beginnings of names with a `*`; none for every room.
    #[serde(borrow)]
    pub rooms: Vec<&'a str>,
    pub replacement: Option<&'a str>,
    pub labels: Vec<(&'a str, Change)>,
    /// Built-in rules and what they do; `None` for nothing.
    pub built_in: Vec<(&'a str, Option<Strength>)>,
    /// Links to these domains and those below them are not judged.
    pub allowed_domains: Vec<&'a str>,
}

/// The thresholds of a label that are changed; infinite for what is never done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub flag: Option<f32>,
    pub mask: Option<f32>,
    pub block: Option<f32>,
}

/// What a rule does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strength {
    Flag,
    Mask,
    Block,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule<'a> {
    /// The number of the section whose rooms it is for.
    pub section: u16,
    #[serde(borrow)]
    pub name: &'a str,
    pub effect: Effect<'a>,
    /// Each with whether it is an exception.
    pub phrases: Vec<(bool, Phrase<&'a str>)>,
    /// Links to these domains and those below them.
    pub domains: Vec<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect<'a> {
    /// What its phrases cover is not judged.
    Allow,
    Act {
        #[serde(borrow)]
        label: &'a str,
        strength: Strength,
        replacement: Option<&'a str>,
    },
}

/// Regular expressions, as one automaton.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expressions<'a> {
    /// The rule of each.
    pub rules: Vec<u16>,
    #[serde(borrow)]
    pub automaton: Automaton<'a>,
}
