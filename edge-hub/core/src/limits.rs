//! What a connection may do. Announced in `welcome` where a client can act on it.

pub mod pace;

use crate::time::millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The limits of one connection, with their defaults by [`Limits::default`]. As JSON, times are in
/// milliseconds and have names that end in `_ms`; what is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of UTF-8 in one message. Default 4 KiB. Above it: error `too_large`.
    pub text_bytes: usize,
    /// Bytes of one frame. Default 16 KiB. Above it the host closes with 1009.
    pub frame_bytes: usize,
    /// Nested arrays and objects in a frame. Default 16. Above it: error `too_deep`.
    pub json_depth: usize,
    /// Rooms a connection may be in. Default 64. Above it: error `too_many_rooms`.
    pub rooms_per_connection: usize,
    /// Rooms a deployment may have. Default 10,000. Above it: error `too_many_rooms`.
    pub rooms: u64,
    /// Messages a second a user may send for long. Default 5. Above it: error `rate_limited`.
    pub messages_per_second: u32,
    /// Messages at once after a pause. Default 20.
    pub burst: u32,
    /// Time for the first frame, `hello`. Default 5 s. Then close 4001.
    #[serde(rename = "hello_ms", with = "as_millis")]
    pub hello: Duration,
    /// A client sends `ping` after this time without another frame. Default 25 s.
    #[serde(rename = "ping_ms", with = "as_millis")]
    pub ping: Duration,
    /// At most one `typing` of a connection passes in this time; others are dropped. Default 3 s.
    #[serde(rename = "typing_ms", with = "as_millis")]
    pub typing: Duration,
    /// At most one `read` of a connection passes in this time; others are dropped. Default 1 s.
    #[serde(rename = "read_ms", with = "as_millis")]
    pub read: Duration,
    /// Edits of one message. Default 64. Above it: error `too_many_changes`.
    pub edits: u32,
    /// Frames in a row that may be refused before close 4004. Default 20.
    pub refused_in_a_row: u8,
    /// Messages in one page or `history` answer. Default 100.
    pub page_messages: usize,
    /// Bytes of stored entries in one page. Default 64 KiB.
    pub page_bytes: usize,
    /// Messages that a client without a position gets. Default 50.
    pub recent_messages: usize,
    /// Entries and tombstones a room's log keeps. Default 10,000.
    pub log_entries: u64,
    /// The age at which entries leave a room's log. Default 30 days.
    #[serde(rename = "log_age_ms", with = "as_millis")]
    pub log_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 4 << 10,
            frame_bytes: 16 << 10,
            json_depth: 16,
            rooms_per_connection: 64,
            rooms: 10_000,
            messages_per_second: 5,
            burst: 20,
            hello: Duration::from_secs(5),
            ping: Duration::from_secs(25),
            typing: Duration::from_secs(3),
            read: Duration::from_secs(1),
            edits: 64,
            refused_in_a_row: 20,
            page_messages: 100,
            page_bytes: 64 << 10,
            recent_messages: 50,
            log_entries: 10_000,
            log_age: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// A limit that an edge cannot work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Times are in milliseconds.
    #[error("{limit} must be from {least} to {most}")]
    Range {
        limit: &'static str,
        least: u64,
        most: u64,
    },
    #[error("{limit} must not be above {other}")]
    Above {
        limit: &'static str,
        other: &'static str,
    },
}

impl LimitError {
    /// Which limit it is, as JSON has it.
    pub fn limit(&self) -> &'static str {
        match self {
            Self::Range { limit, .. } | Self::Above { limit, .. } => limit,
        }
    }
}

impl Limits {
    /// Whether an edge can work with these.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub fn check(&self) -> Result<(), LimitError> {
        // Each character of a text may take six in JSON, and a connection's queue must take some
        // such messages and a page.
        range("text_bytes", self.text_bytes as u64, 1, 16 << 10)?;
        range("frame_bytes", self.frame_bytes as u64, 1 << 10, 128 << 10)?;
        range("json_depth", self.json_depth as u64, 4, 64)?;
        // The session carries their names.
        range(
            "rooms_per_connection",
            self.rooms_per_connection as u64,
            1,
            64,
        )?;
        range("rooms", self.rooms, 1, 1_000_000)?;
        range(
            "messages_per_second",
            u64::from(self.messages_per_second),
            1,
            1000,
        )?;
        range("burst", u64::from(self.burst), 1, 10_000)?;
        range("hello_ms", millis(self.hello), 1_000, 60_000)?;
        range("ping_ms", millis(self.ping), 1_000, 300_000)?;
        range("typing_ms", millis(self.typing), 100, 60_000)?;
        range("read_ms", millis(self.read), 100, 60_000)?;
        range("edits", u64::from(self.edits), 1, 1_000)?;
        range("refused_in_a_row", u64::from(self.refused_in_a_row), 1, 255)?;
        range("page_messages", self.page_messages as u64, 1, 1_000)?;
        range("page_bytes", self.page_bytes as u64, 4 << 10, 64 << 10)?;
        range("recent_messages", self.recent_messages as u64, 1, 1_000)?;
        range("log_entries", self.log_entries, 1, 1_000_000)?;
        let ten_years = 10 * 365 * DAY_MS;
        range("log_age_ms", millis(self.log_age), 60_000, ten_years)?;
        above(
            "text_bytes",
            self.text_bytes,
            "frame_bytes",
            self.frame_bytes,
        )?;
        above(
            "recent_messages",
            self.recent_messages,
            "page_messages",
            self.page_messages,
        )
    }
}

const DAY_MS: u64 = 24 * 3_600_000;

fn range(limit: &'static str, value: u64, least: u64, most: u64) -> Result<(), LimitError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(LimitError::Range { limit, least, most }),
    }
}

fn above(
    limit: &'static str,
    value: usize,
    other: &'static str,
    most: usize,
) -> Result<(), LimitError> {
    match value <= most {
        true => Ok(()),
        false => Err(LimitError::Above { limit, other }),
    }
}

mod as_millis {
    use super::{Duration, millis};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(millis(*span))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Private rooms of a deployment, direct ones among them. Above it: error `too_many_rooms`.
pub const PRIVATE_ROOMS: u64 = 100_000;
/// Private rooms that a user may be in who makes another. Above it: error `too_many_rooms`.
pub const PRIVATE_ROOMS_OF_A_USER: u64 = 1_000;
/// Users who have a role in a room: so many may be in a private one. Above it: error `room_full`.
pub const ROOM_ROLES: usize = 1_000;
/// Users who are banned from a room, and as many who are muted there. Above it: error `room_full`.
pub const ROOM_BANS: usize = 10_000;
/// Bytes of a room's topic.
pub const TOPIC_BYTES: usize = 256;
/// Bytes of the note of a report.
pub const NOTE_BYTES: usize = 256;
/// The slowest slow mode, in milliseconds: six hours.
pub const SLOW_MODE_MILLIS: u64 = 6 * 3600 * 1000;
/// Rooms listed in one `welcome`.
pub const WELCOME_ROOMS: usize = 50;
/// Members listed in one `joined`.
pub const JOINED_MEMBERS: usize = 50;
/// Users that one message may mention.
pub const MENTIONS: usize = 16;
/// Users of a room whose furthest number is kept; those furthest behind are forgotten first.
pub const READERS: usize = 1000;
/// Above this many such users what one of them read is told to himself only.
pub const RECEIPT_READERS: u64 = 200;
/// Above this many members a room's presence is a count only.
pub const PRESENCE_MEMBERS: u64 = 200;
/// Entries whose tags an edge remembers for a room.
pub const EDGE_TAGS: usize = 1024;
/// Entries whose tags a client remembers for a room.
pub const CLIENT_TAGS: usize = 128;
/// Events of a room that wait for servers of the operator. Those beyond it are counted, and lost.
pub const WEBHOOK_EVENTS: usize = 1000;
/// Session bytes that a hub may hand back.
pub const SESSION_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_survive_json() {
        let limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        let json = serde_json::to_string(&limits).unwrap();
        assert!(json.contains(r#""hello_ms":5000"#), "{json}");
        assert_eq!(serde_json::from_str::<Limits>(&json).unwrap(), limits);
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), limits);
    }

    #[test]
    fn what_is_given_replaces_its_default_and_a_misspelt_limit_is_refused() {
        let limits: Limits = serde_json::from_str(r#"{"burst":3,"log_age_ms":60000}"#).unwrap();
        let expected = Limits {
            burst: 3,
            log_age: Duration::from_secs(60),
            ..Limits::default()
        };
        assert_eq!(limits, expected);
        assert!(serde_json::from_str::<Limits>(r#"{"bursts":3}"#).is_err());
    }

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let refused = [
            (r#"{"text_bytes":0}"#, "text_bytes"),
            (r#"{"rooms_per_connection":65}"#, "rooms_per_connection"),
            (r#"{"messages_per_second":0}"#, "messages_per_second"),
            (r#"{"hello_ms":999}"#, "hello_ms"),
            (r#"{"text_bytes":2048,"frame_bytes":1024}"#, "text_bytes"),
            (
                r#"{"recent_messages":101,"page_messages":100}"#,
                "recent_messages",
            ),
        ];
        for (json, limit) in refused {
            let limits: Limits = serde_json::from_str(json).unwrap();
            assert_eq!(limits.check().unwrap_err().limit(), limit, "{json}");
        }
    }
}
