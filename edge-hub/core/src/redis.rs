//! The Redis contract without a socket: keys, calls and replies. `docs/redis.md` shows each key to
//! operators. Whoever has a connection sends a [`Call`] and hands the reply back as [`Value`]s.

mod erase;
mod inspect;
pub mod issuer_keys;
mod moderation;
pub mod person;
mod presence;
mod room;
mod rooms;
mod webhooks;

pub use erase::{Erased, Strike, erase, erased};
pub use inspect::{inspect, inspect_moderation, inspected};
pub use moderation::{
    erase_records, moderate, moderated, queue, queued, record_page, records, records_erased,
};
pub use presence::{
    CORRECTIONS, PRESENCE_LIFE, Presence, attendance, attended, corrected, list_attendance,
    members, presence, refreshed,
};
pub use room::{list, listed, manage, managed};
pub use rooms::{
    aftermath, close_room, count_private_rooms, count_room, forget_room_of, list_private_counts,
    list_rooms, list_rooms_of, open_room, opened, private_counts, rooms, rooms_of,
};

pub use webhooks::{
    Claim, NextEvent, endpoint_since, find_queues, found_queues, hold, next_event, offered, release,
};

use crate::ids::{NameError, Position, RoomName, Seq, Tag, UserId};
use crate::limits::{Limits, READERS, WEBHOOK_EVENTS};
use crate::log::{Action, Draft, Entry, EntryError, Original, Reference};
use crate::store::{Appended, Marked, Mode, Range, Read, Stretch, Term, UPDATES, Update, Webhooks};
use crate::time::{Timestamp, millis};
use std::time::Duration;

/// A Lua script of ours and its SHA-1, under which Redis keeps it.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    pub name: &'static str,
    pub source: &'static str,
    pub sha1: &'static str,
}

macro_rules! script {
    ($constant:ident, $name:literal, $sha1:literal) => {
        pub static $constant: Script = Script {
            name: $name,
            source: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".lua")),
            sha1: env!($sha1),
        };
    };
}

script!(APPEND, "append", "SHA1_OF_APPEND");
script!(ERASE, "erase", "SHA1_OF_ERASE");
script!(INSPECT, "inspect", "SHA1_OF_INSPECT");
script!(READ, "read", "SHA1_OF_READ");
script!(MARK, "mark", "SHA1_OF_MARK");
script!(PRESENCE, "presence", "SHA1_OF_PRESENCE");
script!(HEARTBEAT, "heartbeat", "SHA1_OF_HEARTBEAT");
script!(MODERATION, "moderation", "SHA1_OF_MODERATION");
script!(OVERALL, "overall", "SHA1_OF_OVERALL");
script!(ROOM, "room", "SHA1_OF_ROOM");
script!(ROOMS, "rooms", "SHA1_OF_ROOMS");
script!(RATE, "rate", "SHA1_OF_RATE");
script!(WEBHOOKS, "webhooks", "SHA1_OF_WEBHOOKS");

/// Every script of an edge: a new connection loads them all. Those of operators come as they are used.
pub static SCRIPTS: [&Script; 11] = [
    &APPEND,
    &READ,
    &MARK,
    &MODERATION,
    &PRESENCE,
    &HEARTBEAT,
    &OVERALL,
    &ROOM,
    &ROOMS,
    &RATE,
    &WEBHOOKS,
];

/// One call of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub script: &'static Script,
    pub keys: Vec<String>,
    pub arguments: Vec<Vec<u8>>,
}

impl Call {
    fn new(script: &'static Script, keys: Vec<String>, arguments: Vec<String>) -> Self {
        Self {
            script,
            keys,
            arguments: arguments.into_iter().map(String::into_bytes).collect(),
        }
    }

    /// The arguments of `EVALSHA`. A NOSCRIPT error is answered by [`Call::eval`].
    pub fn evalsha(&self) -> Vec<Vec<u8>> {
        self.command(self.script.sha1)
    }

    /// The arguments of `EVAL`.
    pub fn eval(&self) -> Vec<Vec<u8>> {
        self.command(self.script.source)
    }

    fn command(&self, script: &str) -> Vec<Vec<u8>> {
        let count = self.keys.len().to_string();
        [script, &count]
            .into_iter()
            .chain(self.keys.iter().map(String::as_str))
            .map(|argument| argument.as_bytes().to_vec())
            .chain(self.arguments.iter().cloned())
            .collect()
    }
}

/// One element of a flat reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Nil,
    Integer(i64),
    Bytes(Vec<u8>),
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Nil | Self::Integer(_) => None,
        }
    }

    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Bytes(_) => self.text()?.parse().ok(),
            Self::Nil => None,
        }
    }
}

/// A reply that does not follow the contract: another version of the scripts, or a damaged log.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    #[error("the reply of `{0}` has another shape")]
    Shape(&'static str),
    #[error("an entry cannot be read: {0}")]
    Entry(#[from] EntryError),
    #[error("a name cannot be read: {0}")]
    Name(#[from] NameError),
}

/// The keys and channels of one deployment, all under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    prefix: String,
    publish: &'static str,
    webhooks: Webhooks,
}

/// A prefix that would break the key scheme.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key prefix must be of the form [A-Za-z0-9._:-]{{1,32}}, got `{0}`")]
pub struct PrefixError(String);

impl Keyspace {
    pub fn new(prefix: impl Into<String>) -> Result<Self, PrefixError> {
        let prefix = prefix.into();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if prefix.is_empty() || prefix.len() > 32 || !prefix.bytes().all(good) {
            return Err(PrefixError(prefix));
        }
        Ok(Self {
            prefix,
            publish: "PUBLISH",
            webhooks: Webhooks::Off,
        })
    }

    /// The same, where servers of the operator are told what happens in rooms.
    pub fn with_webhooks(self, webhooks: Webhooks) -> Self {
        Self { webhooks, ..self }
    }

    /// A key of a room: all share the room's hash tag, so one script may touch them on a cluster.
    pub fn room(&self, room: &RoomName, what: &str) -> String {
        format!("{}:{{{room}}}:{what}", self.prefix)
    }

    pub fn log(&self, room: &RoomName) -> String {
        self.room(room, "log")
    }

    /// The channel that carries a room's publications.
    pub fn channel(&self, room: &RoomName) -> String {
        self.room(room, "live")
    }

    /// The room whose channel this is.
    pub fn room_of_channel(&self, channel: &str) -> Option<RoomName> {
        let rest = channel.strip_prefix(&self.prefix)?.strip_prefix(":{")?;
        RoomName::parse(rest.strip_suffix("}:live")?).ok()
    }

    /// The list of rooms: zset from name to members now.
    pub fn rooms(&self) -> String {
        format!("{}:rooms", self.prefix)
    }

    /// The list of private rooms, which nobody is shown.
    pub fn private_rooms(&self) -> String {
        format!("{}:rooms:private", self.prefix)
    }

    /// The private rooms that a user was let into: hash from name to the other user of a direct
    /// room. `@` begins as no room can.
    pub fn rooms_of(&self, user: &UserId) -> String {
        format!("{}:{{@{user}}}:rooms", self.prefix)
    }

    /// The bucket of a user's commands over HTTP, whatever rooms they are about.
    pub fn rate_of(&self, user: &UserId) -> String {
        format!("{}:{{@{user}}}:rate", self.prefix)
    }

    /// Figures over all rooms. `_stats` begins as no room can.
    pub fn overall(&self, what: &str) -> String {
        format!("{}:{{_stats}}{what}", self.prefix)
    }

    /// What edges tell each other.
    pub fn control(&self, what: &str) -> String {
        format!("{}:{{_control}}:{what}", self.prefix)
    }

    /// The channel by which edges are told whom a change of a room concerns.
    pub fn notices(&self) -> String {
        self.control("notices")
    }

    /// What waits to be told to servers of the operator.
    pub fn webhooks(&self, room: &RoomName) -> String {
        self.room(room, "webhooks")
    }

    /// The room whose queue this is.
    pub fn room_of_webhooks(&self, key: &str) -> Option<RoomName> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix(":{")?;
        RoomName::parse(rest.strip_suffix("}:webhooks")?).ok()
    }

    /// The channel by which edges are told that something waits.
    pub fn webhooks_channel(&self) -> String {
        self.control("webhooks")
    }

    /// What scripts need to know to queue what happens: the channel, or nothing where nobody is told.
    fn webhooks_of(&self, room: &RoomName) -> [String; 2] {
        let channel = if self.webhooks.include(room) {
            self.webhooks_channel()
        } else {
            String::new()
        };
        [channel, WEBHOOK_EVENTS.to_string()]
    }

    fn members_prefix(&self, room: &RoomName) -> String {
        self.room(room, "members:")
    }
}

/// As scripts take a yes or no.
fn flag(is_set: bool) -> String {
    u8::from(is_set).to_string()
}

/// As the script takes it.
fn arguments(update: &Update) -> [String; 3] {
    match update {
        Update::Add { field, amount } => ["add".into(), field.clone(), amount.to_string()],
        Update::Unique { value } => ["unique".into(), value.clone(), "1".into()],
        Update::Top { field, amount } => ["top".into(), field.clone(), amount.to_string()],
        Update::Minute { amount } => ["minute".into(), String::new(), amount.to_string()],
    }
}

/// A reference, as scripts take it.
fn named(reference: &Reference) -> String {
    match reference {
        Reference::Id { user, id } => format!("{user} {id}"),
        Reference::Position(position) => position.to_string(),
    }
}

/// Fields that a statistics key may have before the rest goes to `other`.
pub(crate) const STATISTICS_FIELDS: usize = 256;

/// Appends `draft` to a room's log. The figures of one that is `unlisted` do not count in those over
/// all rooms.
pub fn append(
    keyspace: &Keyspace,
    limits: &Limits,
    room: &RoomName,
    unlisted: bool,
    mode: Mode,
    draft: &Draft,
    updates: &[Update],
) -> Call {
    let key = |what| keyspace.room(room, what);
    let mut arguments = vec![
        match mode {
            Mode::Append => "append".to_owned(),
            Mode::Refuse => "refuse".to_owned(),
        },
        keyspace.channel(room),
        format!("{} {}", draft.user, draft.id),
        draft.user.to_string(),
        draft.kind.to_owned(),
        draft.hash.clone(),
        draft.json.clone(),
        draft.action.as_str().to_owned(),
        limits.log_entries.to_string(),
        millis(limits.log_age).to_string(),
        (1000 / limits.messages_per_second.max(1)).to_string(),
        limits.burst.to_string(),
        keyspace.publish.to_owned(),
        STATISTICS_FIELDS.to_string(),
        draft.reference.as_ref().map(named).unwrap_or_default(),
        flag(draft.may_moderate),
        limits.edits.to_string(),
        flag(room.is_private()),
        flag(unlisted),
    ];
    arguments.extend(keyspace.webhooks_of(room));
    arguments.push(draft.label.clone().unwrap_or_default());
    arguments.push(draft.record.clone().unwrap_or_default());
    arguments.push(match (&draft.original, draft.restores) {
        (Some(Original { sealed, keep }), _) => format!("keep {} {sealed}", millis(*keep)),
        (None, Some(seq)) => format!("restore {seq}"),
        (None, None) => String::new(),
    });
    arguments.extend(updates.iter().take(UPDATES).flat_map(self::arguments));
    Call::new(
        &APPEND,
        vec![
            key("log"),
            key("seen"),
            key("tombstones"),
            key(&format!("rate:{}", draft.user)),
            key("ban"),
            key("stats"),
            key("stats:users"),
            key("stats:top"),
            key("stats:minutes"),
            key("edits"),
            key("read"),
            key("room"),
            key("granted"),
            key("mute"),
            key("slow"),
            key("webhooks"),
            key("moderation"),
        ],
        arguments,
    )
}

pub fn appended(reply: &[Value]) -> Result<Appended, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("append");
    let text = |index: usize| reply.get(index).and_then(Value::text).ok_or(SHAPE);
    let number = |index: usize| reply.get(index).and_then(Value::number).ok_or(SHAPE);
    let place = || Ok::<_, ReplyError>(Position::new(number(1)?, Tag::parse(text(2)?)?));
    let action = || Action::parse(text(4)?).ok_or(SHAPE);
    Ok(match text(0)? {
        "appended" => Appended::Stored {
            position: place()?,
            at: Timestamp::from_millis(number(3)?),
            action: action()?,
        },
        "duplicate" => Appended::Duplicate {
            position: place()?,
            action: action()?,
        },
        "refused" => Appended::Refused,
        "banned" => Appended::Banned(term(reply.get(1))),
        "muted" => Appended::Muted(term(reply.get(1))),
        "archived" => Appended::Archived,
        "slow_mode" => Appended::SlowMode {
            retry_after: Duration::from_millis(number(1)?),
        },
        "rate_limited" => Appended::RateLimited {
            retry_after: Duration::from_millis(number(1)?),
        },
        "unpublishable" => Appended::Unpublishable,
        "stale_target" => Appended::StaleTarget,
        "target_missing" => Appended::TargetMissing,
        "forbidden" => Appended::Forbidden,
        "too_many_changes" => Appended::TooManyChanges,
        "original_gone" => Appended::OriginalGone,
        _ => return Err(SHAPE),
    })
}

/// A time, or -1 for ever.
fn term(value: Option<&Value>) -> Term {
    let until = value.and_then(Value::number);
    Term {
        until: until.map(Timestamp::from_millis),
    }
}

/// Reads at most `entries` entries and `bytes` bytes (but one entry at least): for a user, if he may
/// be there, or for an edge, which sees to that before it shows anything.
pub fn read(
    keyspace: &Keyspace,
    room: &RoomName,
    user: Option<&UserId>,
    range: Range,
    entries: usize,
    bytes: usize,
) -> Call {
    let (mode, seq) = match range {
        Range::After(seq) => ("after", seq),
        Range::From(seq) => ("from", seq),
        Range::Before(seq) => ("before", seq),
        Range::Tail => ("tail", 0),
    };
    Call::new(
        &READ,
        vec![
            keyspace.log(room),
            keyspace.room(room, "tombstones"),
            keyspace.room(room, "granted"),
            keyspace.room(room, "ban"),
        ],
        vec![
            mode.into(),
            seq.to_string(),
            entries.to_string(),
            bytes.to_string(),
            user.map(UserId::to_string).unwrap_or_default(),
            flag(room.is_private()),
        ],
    )
}

/// The answer to [`read`] for a user.
pub fn read_for_user(reply: &[Value]) -> Result<Read, ReplyError> {
    Ok(match reply.first().and_then(Value::text) {
        Some("forbidden") => Read::Forbidden,
        Some("banned") => Read::Banned(term(reply.get(1))),
        _ => Read::Stretch(stretch(reply)?),
    })
}

/// The answer to [`read`] for an edge.
pub fn stretch(reply: &[Value]) -> Result<Stretch, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("read");
    let text = |index: usize| reply.get(index).and_then(Value::text).ok_or(SHAPE);
    let number = |index: usize| reply.get(index).and_then(Value::number).ok_or(SHAPE);
    let first: Seq = number(0)?;
    let before_first = match first.checked_sub(1) {
        Some(seq) => Some(Position::new(seq, Tag::parse(text(1)?)?)),
        None => None,
    };
    let head = Position::new(number(2)?, Tag::parse(text(3)?)?);
    let more = number(4)? == 1;
    let mut bytes = 0;
    let entries = reply[5..]
        .iter()
        .map(|item| match item {
            Value::Bytes(json) => {
                bytes += json.len();
                Ok(Entry::parse(json)?)
            }
            Value::Nil | Value::Integer(_) => Err(SHAPE),
        })
        .collect::<Result<_, _>>()?;
    Ok(Stretch {
        before_first,
        head,
        more,
        entries,
        bytes,
    })
}

/// Takes from a user's bucket of commands over HTTP.
pub fn take(keyspace: &Keyspace, limits: &Limits, user: &UserId) -> Call {
    let interval = 1000 / limits.messages_per_second.max(1);
    Call::new(
        &RATE,
        vec![keyspace.rate_of(user)],
        vec![interval.to_string(), limits.burst.to_string()],
    )
}

/// The answer to [`take`]: how long to wait, if the bucket is empty.
pub fn taken(reply: &[Value]) -> Result<Option<Duration>, ReplyError> {
    let wait = reply.first().and_then(Value::number);
    let wait = wait.ok_or(ReplyError::Shape("rate"))?;
    Ok((wait > 0).then(|| Duration::from_millis(wait)))
}

/// Notes that a user has read a room up to a number.
pub fn mark(keyspace: &Keyspace, room: &RoomName, user: &UserId, seq: Seq) -> Call {
    Call::new(
        &MARK,
        vec![keyspace.log(room), keyspace.room(room, "read")],
        vec![user.to_string(), seq.to_string(), READERS.to_string()],
    )
}

pub fn marked(reply: &[Value]) -> Result<Marked, ReplyError> {
    let number = |index: usize| reply.get(index).and_then(Value::number);
    match (number(0), number(1), number(2)) {
        (Some(seq), Some(moved), Some(readers)) => Ok(Marked {
            seq,
            moved: moved == 1,
            readers,
        }),
        _ => Err(ReplyError::Shape("mark")),
    }
}

/// The code by which scripts refuse a log with an entry that is none of ours.
pub const CORRUPT: &str = "CORRUPT";

/// Proves that a node takes writes and that publications arrive.
pub fn heartbeat(keyspace: &Keyspace, edge: &str, payload: &str) -> Call {
    Call::new(
        &HEARTBEAT,
        vec![keyspace.control("heartbeat")],
        vec![
            heartbeat_channel(keyspace, edge),
            payload.into(),
            keyspace.publish.into(),
        ],
    )
}

/// The command that publishes a heartbeat without a write, its name first: for a node that
/// [`refuses_writes`].
pub fn bare_heartbeat(keyspace: &Keyspace, edge: &str, payload: &str) -> Vec<String> {
    vec![
        keyspace.publish.into(),
        heartbeat_channel(keyspace, edge),
        payload.into(),
    ]
}

/// Whether an error of this code comes from a primary that is alive and takes no writes for now:
/// its memory is full, its disk fails, or too few replicas follow it. Another connection would hear
/// the same; a node that was demoted says `READONLY`.
pub fn refuses_writes(code: &str) -> bool {
    matches!(code, "OOM" | "MISCONF" | "NOREPLICAS")
}

/// The policy by which a full server would remove rooms in silence, by its answer to `INFO`;
/// `None` if it refuses writes then, as it must, or does not say.
pub fn eviction_policy(info: &str) -> Option<&str> {
    let policy = info
        .lines()
        .find_map(|line| line.strip_prefix("maxmemory_policy:"))?
        .trim();
    (policy != "noeviction").then_some(policy)
}

/// The channel on which an edge awaits its own heartbeats.
pub fn heartbeat_channel(keyspace: &Keyspace, edge: &str) -> String {
    keyspace.control(&format!("heartbeat:{edge}"))
}
