//! What an operator sets for a whole deployment, by variables of the same names on every platform.

use crate::auth::{ClosedRooms, Issuers, PublishKeys};
use crate::hub::Settings;
use crate::ids::RoomName;
use crate::limits::Limits;
use crate::quarantine::Quarantine;
use crate::redis::Keyspace;
use crate::store::Webhooks;
use std::time::Duration;

const DEFAULT_QUARANTINE_HOURS: u64 = 7 * 24;
const MOST_QUARANTINE_HOURS: u64 = 90 * 24;

/// The variables of one deployment, read and checked.
#[derive(Debug)]
pub struct Deployment {
    pub hub: Settings,
    pub keyspace: Keyspace,
    pub redis_url: String,
    /// Whether callers over HTTP may choose their own name.
    pub anonymous: bool,
    /// By which servers publish and read over HTTP.
    pub publish_keys: PublishKeys,
}

impl Deployment {
    /// Reads each variable by `variable`, which answers a sentence for one that is not there.
    ///
    /// # Errors
    /// A sentence that names the variable which is wrong.
    pub fn read(variable: impl Fn(&str) -> Result<String, String>) -> Result<Self, String> {
        let variable =
            |name: &str| variable(name).map_err(|error| format!("variable `{name}`: {error}"));
        let webhooks = variable("webhooks")?;
        let webhooks = Webhooks::parse(&webhooks).ok_or_else(|| {
            format!("variable `webhooks`: give `public`, `all` or nothing, got `{webhooks}`")
        })?;
        let keyspace = Keyspace::new(variable("redis_prefix")?)
            .map_err(|error| format!("variable `redis_prefix`: {error}"))?;
        let default_rooms = variable("rooms")?
            .split(',')
            .map(|room| {
                RoomName::parse(room.trim())
                    .map_err(|error| format!("variable `rooms`: {error}, got `{room}`"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let quarantine = quarantine(&variable("quarantine_key")?, &variable("quarantine_hours")?)?;
        let closed_rooms = ClosedRooms::parse(&variable("closed_rooms")?)
            .map_err(|error| format!("variable `closed_rooms`: {error}"))?;
        let issuers = Issuers::parse(&variable("identity")?, &variable("identity_secrets")?)
            .map_err(|error| format!("variables `identity` and `identity_secrets`: {error}"))?;
        let publish_keys = PublishKeys::parse(&variable("publish_keys")?)
            .map_err(|error| format!("variable `publish_keys`: {error}"))?;
        let limits: Limits = serde_json::from_str(&variable("limits")?)
            .map_err(|error| format!("variable `limits`: {error}"))?;
        limits
            .check()
            .map_err(|error| format!("variable `limits`: {error}"))?;
        Ok(Self {
            hub: Settings {
                default_rooms,
                closed_rooms,
                issuers,
                limits,
                quarantine,
            },
            keyspace: keyspace.with_webhooks(webhooks),
            redis_url: variable("redis_url")?,
            anonymous: variable("anonymous")? == "true",
            publish_keys,
        })
    }
}

/// Where originals are kept, and for how long: a week if nothing is said.
fn quarantine(key: &str, hours: &str) -> Result<Option<Quarantine>, String> {
    let hours = match hours {
        "" => DEFAULT_QUARANTINE_HOURS,
        hours => hours
            .parse()
            .ok()
            .filter(|hours| (1..=MOST_QUARANTINE_HOURS).contains(hours))
            .ok_or_else(|| {
                format!(
                    "variable `quarantine_hours`: give 1 to {MOST_QUARANTINE_HOURS}, got `{hours}`"
                )
            })?,
    };
    if key.is_empty() {
        return Ok(None);
    }
    let quarantine = Quarantine::new(key, Duration::from_secs(hours * 3600));
    // The key itself is in no message.
    quarantine
        .map(Some)
        .map_err(|error| format!("variable `quarantine_key`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, value: &'static str) -> Result<Deployment, String> {
        Deployment::read(|asked| {
            Ok(match asked {
                asked if asked == name => value,
                "redis_prefix" => "ct",
                "rooms" => "general, tech",
                "limits" => "{}",
                _ => "",
            }
            .to_owned())
        })
    }

    #[test]
    fn what_is_empty_is_as_closed_as_can_be() {
        let deployment = read("", "").unwrap();
        assert!(!deployment.anonymous);
        assert_eq!(deployment.hub.default_rooms.len(), 2);
    }

    #[test]
    fn the_variable_that_is_wrong_is_named() {
        for (name, value) in [
            ("redis_prefix", "{ct}"),
            ("rooms", "General"),
            ("limits", r#"{"bursts":1}"#),
            ("limits", r#"{"burst":0}"#),
            ("closed_rooms", "Board!"),
            ("webhooks", "some"),
            ("quarantine_key", "c2hvcnQ="),
            ("quarantine_hours", "0"),
            ("quarantine_hours", "a week"),
        ] {
            let error = read(name, value).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }
}
