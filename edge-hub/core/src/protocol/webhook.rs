//! What servers of the operator are told by webhooks (docs/webhooks.md).

use super::{EntryFrame, RoomFrame};
use crate::ids::{MessageId, Position, RoomName, UserId};
use crate::store::RoomRole;
use crate::time::Timestamp;
use serde::Serialize;

macro_rules! types {
    ($($name:ident = $text:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum WebhookType { $($name,)* }

        impl WebhookType {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

types! {
    MessageCreated = "message.created",
    MessageEdited = "message.edited",
    MessageDeleted = "message.deleted",
    MessageReacted = "message.reacted",
    MessageBlocked = "message.blocked",
    RoomCreated = "room.created",
    RoomChanged = "room.changed",
    RoomDeleted = "room.deleted",
    RoleGranted = "role.granted",
    RoleRevoked = "role.revoked",
    UserKicked = "user.kicked",
    UserMuted = "user.muted",
    UserBanned = "user.banned",
    UserUnbanned = "user.unbanned",
    // Told to every endpoint, whatever it asked for.
    EventsLost = "events.lost",
}

impl WebhookType {
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|kind| kind.as_str() == text).copied()
    }
}

/// One event, but for what delivery adds.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookEvent {
    /// The same each time that it is told, and no other event's.
    pub id: String,
    pub kind: WebhookType,
    pub at: Timestamp,
    pub data: WebhookData,
}

/// What is told of an event. Texts are as they were in the log when it was told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum WebhookData {
    /// As readers in the room got it.
    Entry(EntryFrame),
    /// An entry that is in the log no longer.
    Removed {
        room: RoomName,
        position: Position,
        at: Timestamp,
        removed: bool,
    },
    /// What moderation refused, whose text is kept nowhere.
    Blocked {
        room: RoomName,
        user: UserId,
        id: MessageId,
        /// What it was to be: `message`, `edit` or `react`.
        kind: String,
        /// The message that was to be changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<Position>,
        at: Timestamp,
        moderation: crate::log::Moderation,
    },
    Room {
        #[serde(flatten)]
        room: Box<RoomFrame>,
        by: UserId,
        at: Timestamp,
        /// The settings that were set.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        changed: Vec<String>,
    },
    User {
        room: RoomName,
        by: UserId,
        user: UserId,
        at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<RoomRole>,
        /// Not there for a ban or mute for ever.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    Lost {
        room: RoomName,
        at: Timestamp,
        /// Events that the full queue dropped, wanted or not.
        queue_full: u64,
        /// Events that could not be told for too long.
        too_old: u64,
    },
}
