//! Webhooks as they are written: one endpoint by flags and variables, more as tables of the file.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use clap::{ArgAction, Args, builder::BoolishValueParser};
use clustertalk_core::protocol::WebhookType;
use serde::Deserialize;
use url::Url;

use super::{ConfigError, Given, given_by};
use crate::{
    toml_file::did_you_mean,
    webhooks::{EndpointSettings, Secret, Settings},
};

/// The endpoint that flags and variables describe.
const BY_FLAGS: &str = "default";
/// Bounds of `webhook-max-age`. An untold event is kept for a week, so that it is given up, and
/// counted, before it is forgotten.
const LEAST_AGE: Duration = Duration::from_secs(1);
const MOST_AGE: Duration = Duration::from_secs(3 * 24 * 3600);

/// Servers that are told what happens in rooms.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookSettings {
    /// A server to tell what happens in public rooms, by POST (docs/webhooks.md). The file has more of
    /// them, and with filters, as tables `[[webhook]]`.
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<WebhookUrl>,
    /// The secret that signs what is told there: `whsec_` and 24 to 64 bytes in Base64; two with a
    /// space between them while one is replaced. Others on the machine can read the flag.
    #[arg(long, value_name = "SECRET")]
    pub webhook_secret: Option<Hidden>,
    /// The age at which what could not be told is given up, at most 3days.
    #[arg(long, value_name = "DURATION", default_value = "1day", value_parser = humantime::parse_duration)]
    pub webhook_max_age: Duration,
    /// Certificates in PEM to trust beside the public authorities.
    #[arg(long, value_name = "FILE")]
    pub webhook_ca: Option<PathBuf>,
    /// Let webhooks go to `http://` addresses that are not loopback, where anyone on the way can read
    /// them.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub allow_insecure_webhooks: bool,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Hidden(String);

impl FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// The address of a receiver, as it was written. Its query is never shown: some have a key there.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    fn check(&self, allow_insecure: bool) -> Result<Url, String> {
        let url = Url::parse(&self.0).map_err(|error| format!("not a URL: {error}"))?;
        let is_loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback || allow_insecure => {}
            "http" => {
                return Err(format!(
                    "`{self}` would be told in the clear; give an https:// address or, if that is wanted, \
                     add `--allow-insecure-webhooks`"
                ));
            }
            _ => return Err(format!("`{self}` is no https:// address")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "user and password do not belong here; receivers check the signature".to_owned(),
            );
        }
        Ok(url)
    }
}

impl FromStr for WebhookUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut shown) = Url::parse(&self.0) else {
            return formatter.write_str("(not a URL)");
        };
        if shown.password().is_some() {
            let _ = shown.set_password(Some("***"));
        }
        if shown.query().is_some() {
            shown.set_query(Some("***"));
        }
        write!(formatter, "{shown}")
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// A table `[[webhook]]` of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Table {
    name: String,
    url: WebhookUrl,
    secret: Option<Hidden>,
    secret_file: Option<PathBuf>,
    secret_variable: Option<String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(default)]
    private_rooms: bool,
}

/// All endpoints, checked.
pub(super) fn check(settings: &WebhookSettings, given: &Given) -> Result<Settings, ConfigError> {
    let max_age = settings.webhook_max_age;
    if !(LEAST_AGE..=MOST_AGE).contains(&max_age) {
        return Err(given.refuse("webhook-max-age", "give a time from 1s to 3days"));
    }
    let allow_insecure = settings.allow_insecure_webhooks;
    let mut endpoints = Vec::new();
    match (&settings.webhook_url, &settings.webhook_secret) {
        (None, None) => {}
        (Some(url), Some(secret)) => endpoints.push(EndpointSettings {
            name: BY_FLAGS.to_owned(),
            url: url
                .check(allow_insecure)
                .map_err(|reason| given.refuse("webhook-url", reason))?,
            secrets: secrets(&secret.0).map_err(|reason| given.refuse("webhook-secret", reason))?,
            events: Vec::new(),
            rooms: Vec::new(),
            private_rooms: false,
        }),
        (Some(_), None) => {
            let reason = "`webhook-secret` is missing, best as CLUSTERTALK_WEBHOOK_SECRET";
            return Err(given.refuse("webhook-url", reason));
        }
        (None, Some(_)) => return Err(given.refuse("webhook-secret", "`webhook-url` is missing")),
    }
    for (table, place) in given.file.webhooks() {
        let endpoint = table.check(allow_insecure).and_then(|endpoint| {
            let is_known = |known: &EndpointSettings| known.name == endpoint.name;
            match endpoints.iter().any(is_known) {
                true => Err("there is another webhook of this name".to_owned()),
                false => Ok(endpoint),
            }
        });
        endpoints.push(endpoint.map_err(|reason| ConfigError::Setting {
            origin: format!("{place}: webhook `{}`", table.name.escape_default()),
            reason,
        })?);
    }
    Ok(Settings {
        endpoints,
        max_age,
        authority: settings.webhook_ca.clone(),
    })
}

/// A line for each table, as the file has it.
pub(super) fn present(given: &Given) -> String {
    let tables = given.file.webhooks().iter();
    let lines = tables.map(|(table, place)| {
        let list = |items: &[String]| toml::Value::from(items.to_vec()).to_string();
        format!(
            "\n[[webhook]]  # {place}\nname = {}\nurl = {}\nevents = {}\nrooms = {}\nprivate-rooms = {}\n",
            toml::Value::from(table.name.as_str()),
            toml::Value::from(table.url.to_string()),
            list(&table.events),
            list(&table.rooms),
            table.private_rooms,
        )
    });
    lines.collect()
}

impl Table {
    fn check(&self, allow_insecure: bool) -> Result<EndpointSettings, String> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(is_name) {
            return Err("`name` must be of the form [a-z0-9-]{1,32}".to_owned());
        }
        let bad_room = |room: &&String| {
            let name = room.strip_suffix('*').unwrap_or(room);
            !name.is_empty() && clustertalk_core::ids::RoomName::parse(name).is_err()
        };
        if let Some(room) = self.rooms.iter().find(bad_room) {
            return Err(format!(
                "`{room}` is no name of a room, with or without `*` at its end"
            ));
        }
        let mut events = Vec::new();
        for event in &self.events {
            let fits = |kind: &&WebhookType| match event.strip_suffix('*') {
                Some(start) => kind.as_str().starts_with(start),
                None => kind.as_str() == event,
            };
            let known = events.len();
            events.extend(WebhookType::ALL.iter().filter(fits));
            if events.len() == known {
                let names = WebhookType::ALL.iter().map(|kind| kind.as_str());
                return Err(format!(
                    "unknown event `{event}`; {}",
                    did_you_mean(event, names)
                ));
            }
        }
        Ok(EndpointSettings {
            name: self.name.clone(),
            url: self.url.check(allow_insecure)?,
            secrets: secrets(&self.secret()?)?,
            events,
            rooms: self.rooms.clone(),
            private_rooms: self.private_rooms,
        })
    }

    fn secret(&self) -> Result<String, String> {
        match (&self.secret, &self.secret_file, &self.secret_variable) {
            (Some(Hidden(secret)), None, None) => Ok(secret.clone()),
            (None, Some(path), None) => std::fs::read_to_string(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display())),
            (None, None, Some(name)) => {
                given_by(name).ok_or_else(|| format!("the variable {name} is not set"))
            }
            _ => Err("give one of `secret`, `secret-file` and `secret-variable`".to_owned()),
        }
    }
}

/// One or more, with white space between them.
fn secrets(text: &str) -> Result<Vec<Secret>, String> {
    let secrets: Result<Vec<_>, _> = text.split_whitespace().map(Secret::parse).collect();
    match secrets {
        Ok(secrets) if secrets.is_empty() => Err("there is no secret".to_owned()),
        Ok(secrets) => Ok(secrets),
        Err(error) => Err(error.to_string()),
    }
}
