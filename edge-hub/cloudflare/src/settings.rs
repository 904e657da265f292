//! What the Worker's variables and secrets say. Those that every platform has are written in capitals
//! here (`REDIS_URL`); the others are the platform's own. docs/cloudflare.md lists them all.

use crate::redis::Address;
use clustertalk_core::deployment::Deployment;
use std::time::Duration;

pub struct Settings {
    pub deployment: Deployment,
    pub redis: Address,
    pub origins: Origins,
    pub mode: Mode,
    /// How long a connection to Redis is used; the platform ends it after 15 minutes.
    pub connection_life: Duration,
    /// Connections that an object holds, streams of events too.
    pub connections: usize,
    /// The same from one IPv4 address or one IPv6 /64.
    pub connections_per_address: usize,
    /// What becomes of a message that moderation could not judge.
    pub fail: FailPolicy,
    /// Calls that one instance of a component serves.
    pub reuse: u32,
    /// By which a request to wake is signed; none is taken without it.
    pub wake_secret: String,
}

/// How the edge learns of what others append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It holds a subscription while a room is followed, and so stays awake.
    Subscribe { heartbeat: Duration },
    /// It sleeps when nothing happens: woken by `POST /api/v1/wake`, and by the clock.
    Poll { every: Duration },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailPolicy {
    /// Deliver it, flagged.
    Open,
    /// Refuse it.
    Closed,
    /// It stays with its sender.
    Hold,
}

/// Which web pages may open a WebSocket or write over HTTP. What sends no origin is not a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// The Worker's own pages and these.
    Same(Vec<String>),
    Any,
}

impl Origins {
    fn parse(text: &str) -> Self {
        match text.trim() {
            "*" => Self::Any,
            listed => Self::Same(
                listed
                    .split(',')
                    .map(|origin| origin.trim().trim_end_matches('/').to_owned())
                    .filter(|origin| !origin.is_empty())
                    .collect(),
            ),
        }
    }

    /// `own` is the origin by which the Worker was asked.
    pub fn allow(&self, origin: Option<&str>, own: &str) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            Self::Same(listed) => {
                let mut allowed = std::iter::once(own).chain(listed.iter().map(String::as_str));
                allowed.any(|allowed| allowed.eq_ignore_ascii_case(origin))
            }
        }
    }
}

impl Settings {
    /// Reads each variable by `given`, if it is set; an error names the one that is wrong.
    pub fn read(given: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let variable = |name: &str| given(name).unwrap_or_else(|| default(name).to_owned());
        let wrong = |name: &str, reason: &str| format!("variable `{name}`: {reason}");
        let deployment = Deployment::read(|name| Ok(variable(&name.to_ascii_uppercase())))?;
        let redis = match deployment.redis_url.as_str() {
            "" => {
                let reason = "it is not set: `npx wrangler secret put REDIS_URL`, with \
                              rediss://USER:PASSWORD@HOST:PORT";
                return Err(wrong("REDIS_URL", reason));
            }
            url => Address::parse(url).map_err(|error| wrong("REDIS_URL", &error.to_string()))?,
        };
        let number = |name: &str, least: u64, most: u64| match variable(name).parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(wrong(
                name,
                &format!("it must be a number from {least} to {most}"),
            )),
        };
        let millis =
            |name, least, most| Ok::<_, String>(Duration::from_millis(number(name, least, most)?));
        let count = |name, most| {
            let count = number(name, 1, most)?;
            Ok::<_, String>(usize::try_from(count).unwrap_or(usize::MAX))
        };
        let mode = match variable("REDIS_MODE").as_str() {
            "subscribe" => Mode::Subscribe {
                heartbeat: millis("REDIS_HEARTBEAT_MS", 200, 30_000)?,
            },
            "poll" => Mode::Poll {
                every: millis("REDIS_POLL_MS", 500, 20_000)?,
            },
            _ => return Err(wrong("REDIS_MODE", "it must be `subscribe` or `poll`")),
        };
        let fail = match variable("MODERATION_FAIL").as_str() {
            "open" => FailPolicy::Open,
            "closed" => FailPolicy::Closed,
            "hold" => FailPolicy::Hold,
            _ => {
                let reason = "it must be `open`, `closed` or `hold`";
                return Err(wrong("MODERATION_FAIL", reason));
            }
        };
        Ok(Self {
            redis,
            origins: Origins::parse(&variable("ORIGINS")),
            mode,
            connection_life: millis("REDIS_CONNECTION_MS", 1_000, 14 * 60_000)?,
            connections: count("CONNECTIONS", 32_768)?,
            connections_per_address: count("CONNECTIONS_PER_ADDRESS", 32_768)?,
            fail,
            reuse: u32::try_from(number("COMPONENT_REUSE", 1, 1_000_000)?).unwrap_or(1),
            wake_secret: variable("WAKE_SECRET"),
            deployment,
        })
    }
}

fn default(name: &str) -> &'static str {
    match name {
        "REDIS_PREFIX" => "ct",
        "ROOMS" => "general,tech,random",
        "LIMITS" => "{}",
        "ANONYMOUS" => "false",
        "REDIS_MODE" => "subscribe",
        "REDIS_HEARTBEAT_MS" => "2000",
        "REDIS_POLL_MS" => "5000",
        "REDIS_CONNECTION_MS" => "780000",
        "CONNECTIONS" => "5000",
        "CONNECTIONS_PER_ADDRESS" => "200",
        "MODERATION_FAIL" => "open",
        "COMPONENT_REUSE" => "1000",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| {
            let given = pairs.iter().find(|(given, _)| *given == name);
            given.map(|(_, value)| (*value).to_owned())
        })
    }

    const REDIS: (&str, &str) = ("REDIS_URL", "rediss://ada:secret@redis.example");

    #[test]
    fn an_address_is_all_that_must_be_set() {
        let settings = read(&[REDIS]).unwrap();
        assert!(!settings.deployment.anonymous, "asked for by name only");
        assert_eq!(settings.connection_life, Duration::from_secs(13 * 60));
        let error = read(&[]).err().unwrap();
        assert!(error.contains("wrangler secret put REDIS_URL"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_repeated() {
        for (name, value) in [
            ("REDIS_URL", "http://ada:secret@redis.example"),
            ("REDIS_MODE", "push"),
            ("REDIS_CONNECTION_MS", "900001"),
            ("MODERATION_FAIL", "maybe"),
            ("COMPONENT_REUSE", "0"),
            ("CONNECTIONS", "40000"),
        ] {
            let error = read(&[(name, value), REDIS]).err().unwrap();
            assert!(error.contains(&format!("`{name}`")), "{error}");
            assert!(!error.contains("secret@"), "{error}");
        }
    }

    #[test]
    fn a_foreign_page_is_refused_unless_it_is_listed() {
        let own = "https://chat.example";
        let origins = Origins::parse("https://friend.example/");
        assert!(origins.allow(None, own));
        assert!(origins.allow(Some(own), own));
        assert!(origins.allow(Some("https://friend.example"), own));
        assert!(!origins.allow(Some("https://evil.example"), own));
        assert!(!origins.allow(Some("null"), own));
        assert!(Origins::parse("*").allow(Some("https://evil.example"), own));
    }
}
