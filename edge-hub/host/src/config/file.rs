//! The file with settings: flags, written down.

use std::{fs, io, path::Path};

use clap::Command;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::{names, settings_command, webhooks};
use crate::toml_file::{FileError, Locator, did_you_mean};

/// Read without being asked for, if it is there.
const DEFAULT: &str = "clustertalk.toml";

/// What a file sets.
#[derive(Debug, Default)]
pub(super) struct File {
    settings: Vec<Setting>,
    /// Each with its place: FILE:LINE.
    webhooks: Vec<(webhooks::Table, String)>,
}

/// The tables among the keys.
#[derive(Deserialize)]
struct Tables {
    #[serde(default)]
    webhook: Vec<Spanned<webhooks::Table>>,
}

/// The key of these tables, which is no setting.
const WEBHOOK: &str = "webhook";

#[derive(Debug)]
struct Setting {
    name: String,
    values: Vec<String>,
    /// FILE:LINE.
    place: String,
}

impl File {
    /// Reads and checks the file that was asked for, or the usual one.
    ///
    /// # Errors
    /// The first thing in it that is not a setting or not a value of it.
    pub fn read(asked: Option<&Path>) -> Result<Self, FileError> {
        let path = asked.unwrap_or(Path::new(DEFAULT));
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if asked.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(FileError {
                path: path.to_owned(),
                line: None,
                reason: format!("cannot be read: {error}"),
                advice: "give the path of a file with settings".to_owned(),
            }),
        }
    }

    pub fn parse(text: &str, path: &Path) -> Result<Self, FileError> {
        let locator = Locator { path, text };
        let refuse = |error: toml::de::Error, advice: &str| {
            locator.refuse(
                error.span().unwrap_or_default(),
                error.message().lines().collect::<Vec<_>>().join(" "),
                advice,
            )
        };
        let keys: std::collections::BTreeMap<Spanned<String>, Spanned<Value>> =
            toml::from_str(text)
                .map_err(|error| refuse(error, "write one `key = value` a line"))?;
        let tables: Tables = toml::from_str(text)
            .map_err(|error| refuse(error, "docs/webhooks.md has an example of a `[[webhook]]`"))?;
        let webhooks = tables.webhook.into_iter().map(|table| {
            let line = locator.line(table.span().start);
            (table.into_inner(), format!("{}:{line}", path.display()))
        });
        let settings = keys
            .iter()
            .filter(|(key, _)| key.get_ref() != WEBHOOK)
            .map(|(key, value)| Setting::check(&locator, key, value))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            settings,
            webhooks: webhooks.collect(),
        })
    }

    /// Makes what the file says the defaults of a command with settings.
    pub fn fill(&self, mut command: Command) -> Command {
        for Setting { name, values, .. } in &self.settings {
            command = command.mut_arg(id(name), |arg| arg.default_values(values.clone()));
        }
        command
    }

    /// Servers to tell of events, each with where the file has it: FILE:LINE.
    pub fn webhooks(&self) -> &[(webhooks::Table, String)] {
        &self.webhooks
    }

    /// What the file sets this to.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter();
        let setting = settings.find(|setting| setting.name == name)?;
        setting.values.first().map(String::as_str)
    }

    /// Where the file sets this: FILE:LINE.
    pub fn place(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter();
        settings
            .find(|setting| setting.name == name)
            .map(|setting| setting.place.as_str())
    }
}

impl Setting {
    fn check(
        locator: &Locator,
        key: &Spanned<String>,
        value: &Spanned<Value>,
    ) -> Result<Self, FileError> {
        let name = key.get_ref().as_str();
        // A file that named another one would leave open which of them wins.
        let known = names()
            .filter(|known| known != "config")
            .collect::<Vec<_>>();
        if !known.iter().any(|known| known == name) {
            return Err(locator.refuse(
                key.span(),
                format!("unknown key `{name}`"),
                did_you_mean(name, known.iter().map(String::as_str)),
            ));
        }
        let refuse = |reason: String| {
            let advice = format!("`clustertalk up --help` explains `--{name}`");
            locator.refuse(value.span(), format!("`{name}`: {reason}"), advice)
        };
        let values = texts(value.get_ref())
            .ok_or_else(|| refuse("give text, a number, true or false".to_owned()))?;
        // The flag's own parser says what it takes.
        let flags = values.iter().map(|value| format!("--{name}={value}"));
        if let Err(error) = settings_command().try_get_matches_from(flags) {
            let told = error.to_string();
            let told = told.strip_prefix("error: ").unwrap_or(&told);
            let told: Vec<&str> = told
                .lines()
                .map(str::trim)
                .take_while(|line| !line.is_empty())
                .collect();
            return Err(refuse(told.join(" ")));
        }
        Ok(Self {
            name: name.to_owned(),
            values,
            place: format!(
                "{}:{}",
                locator.path.display(),
                locator.line(key.span().start)
            ),
        })
    }
}

/// The id that clap has for a setting.
pub(super) fn id(name: &str) -> String {
    name.replace('-', "_")
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Float(number) => Some(vec![number.to_string()]),
        Value::Boolean(truth) => Some(vec![truth.to_string()]),
        Value::Array(values) => {
            let texts = values.iter().map(texts).collect::<Option<Vec<_>>>();
            texts.map(|texts| texts.concat())
        }
        Value::Datetime(_) | Value::Table(Table { .. }) => None,
    }
}
