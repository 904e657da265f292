//! The bodies of answers that are no frames of the protocol.

use crate::delivery::{Lost, Reason};
use crate::ids::{Position, RoomName, User, UserId};
use crate::log::moderation::Recorded;
use crate::protocol::{AnnouncedLimits, EntryFrame, RoomSummary};
use crate::statistics::Figures;
use crate::store::RoomRole;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// How the service is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// `ok` or `ready`.
    pub status: &'static str,
    /// The digest of each component, with `ok`, from a host that knows them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, String>,
}

/// What a client needs before it connects.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Configuration {
    /// The subprotocol of WebSockets.
    pub protocol: &'static str,
    pub websocket_url: String,
    /// Whether callers may choose their own name.
    pub anonymous: bool,
    pub default_rooms: Vec<RoomName>,
    pub limits: AnnouncedLimits,
}

/// The rooms that the one who asks may know of.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rooms {
    /// His private ones and the public ones with most members, at most 1,000 each.
    pub rooms: Vec<RoomSummary>,
}

/// What a reader finds after his position: the fields of `joined` less the members.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadOn {
    pub room: RoomName,
    /// Where the reader stands after `messages`.
    pub position: Position,
    /// The newest entry of the room.
    pub head: Position,
    /// Whether everything since the reader's position is here or follows.
    pub recovered: bool,
    pub reason: Option<Reason>,
    /// The numbers that cannot be had any more, both included.
    pub lost: Option<Lost>,
    /// Whether there is more after `position`.
    pub more: bool,
    /// Oldest first.
    pub messages: Vec<EntryFrame>,
}

/// Entries by their numbers.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stretch {
    pub room: RoomName,
    /// Oldest first.
    pub messages: Vec<EntryFrame>,
    /// The newest entry of the room.
    pub head: Position,
    /// Whether there is more in the direction of reading.
    pub more: bool,
}

/// Who is in a room now.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Present {
    pub room: RoomName,
    pub members_count: u64,
    /// At most 50.
    pub members: Vec<User>,
}

/// Who has a role in a room, in the order of user ids.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Members {
    pub room: RoomName,
    pub members: Vec<Granted>,
    /// The `after` of the next page. Not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user and his role in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Granted {
    pub user: UserId,
    pub role: RoomRole,
}

/// Who may not be in a room, in the order in which that ends.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bans {
    pub room: RoomName,
    pub bans: Vec<Kept>,
    /// The `after` of the next page. Not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Who only reads in a room, in the order in which that ends.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mutes {
    pub room: RoomName,
    pub mutes: Vec<Kept>,
    /// The `after` of the next page. Not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user who is banned or muted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    pub user: UserId,
    /// Not there: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What was flagged or reported in a room, and no moderator has looked at: the oldest message first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModerationQueue {
    pub room: RoomName,
    pub queue: Vec<Waiting>,
    /// The `after` of the next page. Not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A message that waits for moderators.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiting {
    pub message: EntryFrame,
    /// The newest edit of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<EntryFrame>,
    /// How many users have reported it.
    pub reports: u64,
    /// Why it is here: the entries of the moderation log, at most 10.
    pub records: Vec<Recorded>,
}

/// What was decided, reported and done in a room, newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModerationLog {
    pub room: RoomName,
    pub entries: Vec<Recorded>,
    /// The `after` of the next page. Not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What analytics counted in a room.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomFigures {
    pub room: RoomName,
    #[serde(flatten)]
    pub figures: Figures,
}

/// What analytics counted over all rooms but private and closed ones.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TotalFigures {
    pub rooms: Vec<RoomSummary>,
    #[serde(flatten)]
    pub figures: Figures,
}
