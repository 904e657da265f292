//! The file, as an operator writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A text with its place in the file, for errors.
pub type Text = Spanned<String>;

macro_rules! section {
    ($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// What is shown in the place of a masked text.
            #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
            pub replacement: Option<Text>,
            /// The languages whose lists of words count beside English; by default all.
            #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
            pub languages: Option<Vec<Text>>,
            /// Words, phrases and domains that are not held against a message.
            #[serde(default)]
            #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
            pub allow: Vec<Text>,
            /// Words, phrases and domains that are, by what is done with a message.
            #[serde(default)]
            pub deny: Deny,
            /// The scores of a label from which on something is done.
            #[serde(default)]
            #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Labels>"))]
            pub labels: BTreeMap<Text, Labels>,
            /// Built-in rules, and what they do: `flag`, `mask`, `block` or `off`.
            #[serde(default)]
            #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
            pub built_in: BTreeMap<Text, Text>,
            /// Rules of your own.
            #[serde(default)]
            pub rule: Vec<Rule>,
        }

        impl $name {
            /// What is set, without what only this kind of section has.
            pub fn section(&self) -> Section<'_> {
                Section {
                    replacement: self.replacement.as_ref(),
                    languages: self.languages.as_deref(),
                    allow: &self.allow,
                    deny: &self.deny,
                    labels: &self.labels,
                    built_in: &self.built_in,
                    rules: &self.rule,
                }
            }
        }
    };
}

section! {
    /// A policy for the moderation of ClusterTalk Edge: docs/policies.md.
    struct File {
        /// What it is called: one line, at most 64 bytes.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        name: Text,
        /// Words that phrases name together, as `{name}`.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Vec<String>>"))]
        sets: BTreeMap<String, Vec<Text>>,
        /// What is different in some rooms.
        #[serde(default)]
        room: Vec<Room>,
        /// Messages and what is to become of them: `clustertalk policy test`.
        #[serde(default)]
        test: Vec<Test>,
    }
}

section! {
    /// What is different in some rooms. What is set here counts before what is set for all.
    struct Room {
        /// Names of rooms; one that ends with `*` is of all that begin so.
        #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
        names: Vec<Text>,
    }
}

/// What is set for all rooms, or for some.
pub struct Section<'f> {
    pub replacement: Option<&'f Text>,
    pub languages: Option<&'f [Text]>,
    pub allow: &'f [Text],
    pub deny: &'f Deny,
    pub labels: &'f BTreeMap<Text, Labels>,
    pub built_in: &'f BTreeMap<Text, Text>,
    pub rules: &'f [Rule],
}

/// Words, phrases and domains, by what is done with a message that has them.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Deny {
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub flag: Vec<Text>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub mask: Vec<Text>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub block: Vec<Text>,
}

/// Scores from 0 to 1; what is left out stays as it is.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Labels {
    #[cfg_attr(feature = "schema", schemars(with = "Option<Threshold>"))]
    pub flag: Option<Spanned<Threshold>>,
    #[cfg_attr(feature = "schema", schemars(with = "Option<Threshold>"))]
    pub mask: Option<Spanned<Threshold>>,
    #[cfg_attr(feature = "schema", schemars(with = "Option<Threshold>"))]
    pub block: Option<Spanned<Threshold>>,
}

/// A score from 0 to 1, or `never`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Threshold {
    Score(f32),
    Word(Never),
}

#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Never {
    Never,
}

/// What a rule, or the test of one, does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Flag,
    Mask,
    Block,
}

/// A rule: what it looks for, and what it does.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// At most 48 of `a-z0-9.-`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: Text,
    /// What is wrong with a message: a built-in label, or one of your own.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub label: Text,
    pub action: Action,
    /// Phrases of words: one of them has to be there.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub any: Vec<Text>,
    /// Phrases that excuse a phrase whose words they share.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub unless: Vec<Text>,
    /// Regular expressions: one of them matches, or a phrase is there.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub regex: Vec<Text>,
    /// Expressions see the text as it was typed, and not in lower case and without tricks.
    #[serde(default)]
    pub as_typed: bool,
    /// What is shown in the place of a text that this rule masks.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub replacement: Option<Text>,
}

/// A message, and what is to become of it.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Test {
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub text: Text,
    /// By default `general`.
    pub room: Option<String>,
    /// `allow`, `flag`, `mask` or `block`.
    pub action: Expected,
    /// The label that decides.
    pub label: Option<String>,
    /// The rule that decides.
    pub rule: Option<String>,
    /// What is shown in its place.
    pub replacement: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    Allow,
    Flag,
    Mask,
    Block,
}

impl Expected {
    pub fn name(self) -> &'static str {
        match self {
            Expected::Allow => "allow",
            Expected::Flag => "flag",
            Expected::Mask => "mask",
            Expected::Block => "block",
        }
    }
}
