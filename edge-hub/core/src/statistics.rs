//! The figures that analytics leaves in Redis: of one room, written by the append script with each
//! message, and over all rooms, brought up to date from the rooms' own.

use crate::ids::RoomName;
use crate::redis::{Call, Keyspace, OVERALL, STATISTICS_FIELDS, Value};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Members of the leader board that are shown.
const TOP_USERS: usize = 10;

/// The figures of a room, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Figures {
    pub messages: u64,
    /// Bytes of text delivered.
    pub bytes: u64,
    /// Distinct users who wrote; estimated within 1 % (HyperLogLog).
    pub users: u64,
    /// Who wrote most, most first.
    pub top_users: Vec<TopUser>,
    /// Messages by what moderation decided: `allow`, `flag`, `mask`, `block`.
    pub actions: BTreeMap<String, u64>,
    /// Messages by the label that decided.
    pub labels: BTreeMap<String, u64>,
    /// Messages by length in characters; the key is the lower end of its range.
    pub lengths: BTreeMap<u64, u64>,
    /// Messages a minute, oldest first, for the last 60 minutes; the last is still running.
    pub minutes: Vec<Minute>,
    /// Every other counter.
    pub counters: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopUser {
    pub user: String,
    pub messages: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Minute {
    /// Its beginning.
    pub at: Timestamp,
    pub messages: u64,
}

/// Whose figures.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    Room(&'a RoomName),
    Overall,
}

impl Scope<'_> {
    fn key(self, keyspace: &Keyspace, what: &str) -> String {
        match self {
            Self::Room(room) => keyspace.room(room, &format!("stats{what}")),
            Self::Overall => keyspace.overall(what),
        }
    }
}

/// The commands whose replies [`figures`] reads, names first.
pub fn commands(keyspace: &Keyspace, scope: Scope<'_>, now: Timestamp) -> [Vec<String>; 5] {
    let key = |what: &str| scope.key(keyspace, what);
    let last = (TOP_USERS - 1).to_string();
    [
        vec!["HGETALL".into(), key("")],
        vec!["PFCOUNT".into(), key(":users")],
        vec![
            "ZREVRANGE".into(),
            key(":top"),
            "0".into(),
            last,
            "WITHSCORES".into(),
        ],
        vec!["HGETALL".into(), key(&format!(":minutes:{}", hour(now)))],
        vec![
            "HGETALL".into(),
            key(&format!(":minutes:{}", hour(now).saturating_sub(1))),
        ],
    ]
}

/// Reads the replies to [`commands`].
pub fn figures(replies: &[Vec<Value>; 5], now: Timestamp) -> Figures {
    let [counters, users, top, minutes, minutes_before] = replies;
    let mut figures = Figures {
        users: users.first().and_then(Value::number).unwrap_or(0),
        top_users: pairs(top)
            .map(|(user, messages)| TopUser {
                user: user.to_owned(),
                messages,
            })
            .collect(),
        minutes: series(minutes, minutes_before, now),
        ..Figures::default()
    };
    for (field, value) in pairs(counters) {
        match field.split_once(':') {
            Some(("action", action)) => {
                figures.actions.insert(action.to_owned(), value);
            }
            Some(("label", label)) => {
                figures.labels.insert(label.to_owned(), value);
            }
            Some(("length", from)) if from.parse::<u64>().is_ok() => {
                figures
                    .lengths
                    .insert(from.parse().unwrap_or_default(), value);
            }
            _ if field == UNLISTED => {}
            _ if field == "messages" => figures.messages = value,
            _ if field == "bytes" => figures.bytes = value,
            _ => {
                figures.counters.insert(field.to_owned(), value);
            }
        }
    }
    figures
}

fn series(minutes: &[Value], minutes_before: &[Value], now: Timestamp) -> Vec<Minute> {
    let this_hour: BTreeMap<u64, u64> = numbered(minutes);
    let last_hour: BTreeMap<u64, u64> = numbered(minutes_before);
    let current = now.as_millis() / 60_000;
    (0..60)
        .rev()
        .map(|ago| {
            let minute = current.saturating_sub(ago);
            let series = if minute / 60 == hour(now) {
                &this_hour
            } else {
                &last_hour
            };
            let messages = series.get(&(minute % 60)).copied().unwrap_or(0);
            Minute {
                at: Timestamp::from_millis(minute * 60_000),
                messages,
            }
        })
        .collect()
}

/// The commands that read a room's figures for [`bring_up`], names first.
pub fn room_commands(keyspace: &Keyspace, room: &RoomName, now: Timestamp) -> [Vec<String>; 5] {
    let key = |what: &str| Scope::Room(room).key(keyspace, what);
    [
        vec!["HGETALL".into(), key("")],
        // As stored: PFMERGE works within one slot only, and this goes to another.
        vec!["GET".into(), key(":users")],
        vec![
            "ZRANGE".into(),
            key(":top"),
            "0".into(),
            "-1".into(),
            "WITHSCORES".into(),
        ],
        vec!["HGETALL".into(), key(&format!(":minutes:{}", hour(now)))],
        vec![
            "HGETALL".into(),
            key(&format!(":minutes:{}", hour(now).saturating_sub(1))),
        ],
    ]
}

/// The counter that a room has whose figures do not count in the overall ones: they would tell of it.
const UNLISTED: &str = "unlisted";

/// Brings the overall figures up to date with a room's, read by [`room_commands`]. Idempotent.
/// `None` for a room that nobody outside may know of.
pub fn bring_up(
    keyspace: &Keyspace,
    room: &RoomName,
    now: Timestamp,
    replies: &[Vec<Value>; 5],
) -> Option<Call> {
    let [counters, users, top, minutes, minutes_before] = replies;
    if room.is_private() || pairs(counters).any(|(field, _)| field == UNLISTED) {
        return None;
    }
    let key = |what: &str| keyspace.overall(what);
    let users = match users.first() {
        Some(Value::Bytes(bytes)) => bytes.clone(),
        _ => Vec::new(),
    };
    let mut arguments = vec![
        hour(now).to_string().into_bytes(),
        hour(now).saturating_sub(1).to_string().into_bytes(),
        STATISTICS_FIELDS.to_string().into_bytes(),
        users,
    ];
    for list in [counters, top, minutes, minutes_before] {
        let flat: Vec<Vec<u8>> = pairs(list)
            .flat_map(|(field, value)| [field.as_bytes().to_vec(), value.to_string().into_bytes()])
            .collect();
        arguments.push(flat.len().to_string().into_bytes());
        arguments.extend(flat);
    }
    let keys = vec![
        key(""),
        key(":users"),
        key(":top"),
        key(":minutes"),
        key(&format!(":counted:{room}")),
        key(":scratch"),
    ];
    Some(Call {
        script: &OVERALL,
        keys,
        arguments,
    })
}

fn hour(now: Timestamp) -> u64 {
    now.as_millis() / 3_600_000
}

fn pairs(reply: &[Value]) -> impl Iterator<Item = (&str, u64)> {
    reply
        .chunks_exact(2)
        .filter_map(|pair| Some((pair[0].text()?, pair[1].number()?)))
}

fn numbered(reply: &[Value]) -> BTreeMap<u64, u64> {
    pairs(reply)
        .filter_map(|(minute, messages)| Some((minute.parse().ok()?, messages)))
        .collect()
}
